import type * as Effect from "effect/Effect"
import { randomUUID } from "node:crypto"
import { type ClientMetadata, errors, type Provider } from "oidc-provider"
import type { ProtectedResource } from "./ProtectedResource.ts"
import { resourceServer } from "./ProviderConfiguration.ts"
import type { TokenIntrospection } from "./TokenIntrospection.ts"

const grantType = "urn:ietf:params:oauth:grant-type:token-exchange"
const accessTokenType = "urn:ietf:params:oauth:token-type:access_token"

/** Metadata of a client that may only exchange access tokens of people for others, authenticated by its secret. */
export const tokenExchangeClient = (clientId: string, clientSecret: string): ClientMetadata => ({
  client_id: clientId,
  client_secret: clientSecret,
  token_endpoint_auth_method: "client_secret_basic",
  grant_types: [grantType],
  response_types: [],
  redirect_uris: []
})

/**
 * Token exchange (RFC 8693): an access token of ours becomes one of the same person for another resource, which ends no later.
 *
 * @param verify tells about an access token of ours
 */
export const registerTokenExchange = (
  provider: Provider,
  {
    accessTokenLifetime,
    resources,
    runPromise,
    verify
  }: {
    readonly accessTokenLifetime: () => number
    readonly resources: ReadonlyArray<ProtectedResource>
    readonly runPromise: <A>(effect: Effect.Effect<A>) => Promise<A>
    readonly verify: (accessToken: string) => Effect.Effect<TokenIntrospection>
  }
) =>
  provider.registerGrantType<ExchangeParameters>(
    grantType,
    async (context) => {
      const { client, params } = context.oidc
      if (params.subject_token_type !== accessTokenType)
        throw new errors.InvalidRequest("subject_token_type must be that of an access token")
      const subject = await runPromise(verify(params.subject_token ?? ""))
      if (!subject.active) throw new errors.InvalidRequest("the subject_token is not an active access token")
      const identifier = params.resource ?? params.audience ?? ""
      const resource = new provider.ResourceServer(identifier, resourceServer(identifier, resources))
      const token = new provider.AccessToken({
        client,
        accountId: subject.sub,
        grantId: randomUUID(),
        gty: "token_exchange",
        resourceServer: resource,
        scope: scopeOf(params.scope, resource.scopes),
        expiresIn: Math.min(accessTokenLifetime(), subject.exp - Math.floor(Date.now() / 1000))
      })
      context.oidc.entity("AccessToken", token)
      context.body = {
        access_token: await token.save(),
        issued_token_type: accessTokenType,
        token_type: token.tokenType,
        expires_in: token.expiration,
        ...(token.scope === undefined ? {} : { scope: token.scope })
      }
    },
    ["subject_token", "subject_token_type", "requested_token_type", "resource", "audience", "scope"]
  )

interface ExchangeParameters {
  readonly subject_token?: string
  readonly subject_token_type?: string
  readonly resource?: string
  readonly audience?: string
  readonly scope?: string
}

/** What is asked for and known; everything if nothing is asked for. */
const scopeOf = (asked: string | undefined, known: ReadonlySet<string>): string | undefined =>
  (asked?.split(" ") ?? [...known]).filter((scope) => known.has(scope)).join(" ") || undefined
