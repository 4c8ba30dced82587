import { text } from "node:stream/consumers"
import type Provider from "oidc-provider"
import type { Interaction, InteractionResults, KoaContextWithOIDC } from "oidc-provider"

const prefix = "/interaction/"

/**
 * Login and consent as plain HTML forms: GET shows the form, POST to the same address answers it.
 * Login takes any name in the field `login` and no password; a field `deny` refuses either form.
 */
export const interactions =
  (provider: Provider) => async (context: KoaContextWithOIDC, next: () => Promise<void>) => {
    if (!context.path.startsWith(prefix)) return next()
    const interaction = await provider.interactionDetails(context.req, context.res)
    if (context.method === "GET") {
      context.type = "html"
      context.body = page(interaction)
      return
    }
    const form = new URLSearchParams(await text(context.req))
    const result = await answer(provider, interaction, form)
    context.redirect(
      await provider.interactionResult(context.req, context.res, result, {
        mergeWithLastSubmission: interaction.prompt.name === "consent"
      })
    )
    context.status = 303
  }

const answer = async (
  provider: Provider,
  interaction: Interaction,
  form: URLSearchParams
): Promise<InteractionResults> => {
  if (form.has("deny")) return { error: "access_denied", error_description: "The person refused" }
  if (interaction.prompt.name === "login") return { login: { accountId: form.get("login") ?? "" } }
  return { consent: { grantId: await grantEverythingMissing(provider, interaction) } }
}

const grantEverythingMissing = async (provider: Provider, interaction: Interaction) => {
  const known = interaction.grantId === undefined ? undefined : await provider.Grant.find(interaction.grantId)
  const grant =
    known ??
    new provider.Grant({
      accountId: interaction.session?.accountId,
      clientId: String(interaction.params["client_id"])
    })
  const details = interaction.prompt.details as MissingConsent
  if (details.missingOIDCScope) grant.addOIDCScope(details.missingOIDCScope.join(" "))
  if (details.missingOIDCClaims) grant.addOIDCClaims([...details.missingOIDCClaims])
  for (const [resource, scopes] of Object.entries(details.missingResourceScopes ?? {})) {
    grant.addResourceScope(resource, scopes.join(" "))
  }
  return grant.save()
}

/** The parts of a request without consent so far, as the provider's consent prompt lists them. */
interface MissingConsent {
  readonly missingOIDCScope?: ReadonlyArray<string>
  readonly missingOIDCClaims?: ReadonlyArray<string>
  readonly missingResourceScopes?: Readonly<Record<string, ReadonlyArray<string>>>
}

// Nothing that came with the request is shown, so there is nothing to escape.
const page = (interaction: Interaction) => `<!doctype html>
<title>${interaction.prompt.name === "login" ? "Sign in" : "Consent"}</title>
<form method="post">
  ${interaction.prompt.name === "login" ? '<label>Name <input name="login" required autofocus></label>' : "<p>A client asks for access.</p>"}
  <button>Continue</button> <button name="deny" formnovalidate>Deny</button>
</form>
`
