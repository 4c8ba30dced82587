import type { AccessTokenRequest } from "@secure-mcp/oauth-core"
import type { GrantPreview, Inspection } from "@secure-mcp/oauth-flows/internal"
import * as Result from "effect/Result"
import { failed, failedFor, ok, shown, type Step, warning } from "./Step.ts"

/** Who we are at the authorization server, and how that is proved. */
export const clientSteps = (
  { config }: AccessTokenRequest,
  { assertion, authentication, login, target }: Inspection
): ReadonlyArray<Step> => {
  const found = Result.getOrUndefined(target)
  if (found === undefined) return assertionSteps(assertion)
  const supported = found.metadata?.tokenEndpointAuthMethodsSupported
  const steps: Array<Step> = [clientStep(found.client)]
  if (authentication !== undefined) {
    steps.push(
      Result.isSuccess(authentication)
        ? methodStep(authentication.success, supported)
        : failedFor("authentication", authentication.failure, "Configure the credential that is missing")
    )
  } else if (Result.isSuccess(found.client) && found.client.success._tag === "Registration") {
    const method = found.client.success.asked["token_endpoint_auth_method"]
    steps.push(methodStep(typeof method === "string" ? method : "none", supported))
  }
  steps.push(...assertionSteps(assertion))
  if (login === undefined) return steps
  if (config.grantType === "authorization_code") {
    steps.push(pkceStep(login.pkce, found.metadata?.codeChallengeMethodsSupported))
  }
  steps.push(
    Result.isSuccess(login.endpoint)
      ? ok("authorization_endpoint", login.endpoint.success, { url: login.endpoint.success })
      : failedFor("authorization_endpoint", login.endpoint.failure, "Configure the endpoint")
  )
  return steps
}

const clientStep = (client: GrantPreview["client"]): Step => {
  if (Result.isFailure(client)) {
    return failedFor(
      "client",
      client.failure,
      "Configure `client_id`, and `client_secret` if the client has one"
    )
  }
  if (client.success._tag === "Registration") {
    const { asked, registrationEndpoint } = client.success
    const endpoint = shown(registrationEndpoint)
    return ok("client", `a client would be registered at ${endpoint} (it is not now)`, {
      source: "registration",
      registration_endpoint: endpoint,
      redirect_uris: texts(asked["redirect_uris"])
    })
  }
  const { clientId, source } = client.success.client
  return ok("client", `${clientId} (${sources[source]})`, { source, client_id: clientId })
}

const sources = {
  configured: "configured",
  metadata_document: "a client metadata document",
  registered: "registered before"
} as const

const texts = (value: unknown): ReadonlyArray<string> =>
  Array.isArray(value) ? value.filter((item) => typeof item === "string") : []

const methodStep = (method: string, supported: ReadonlyArray<string> | undefined): Step => {
  const facts = { method, supported: supported ?? null }
  return supported === undefined || supported.includes(method)
    ? ok("authentication", method, facts)
    : warning(
        "authentication",
        `${method}, but the server's metadata lists ${supported.join(", ")}`,
        "Configure `token_endpoint_auth_method` and the credential it needs, if the server refuses the client",
        facts
      )
}

const assertionSteps = (assertion: Inspection["assertion"]): ReadonlyArray<Step> => {
  if (assertion === undefined) return []
  return [
    Result.isSuccess(assertion)
      ? ok("assertion", `\`${assertion.success}\` can be read`)
      : failed("assertion", assertion.failure.message, "Put a current token there")
  ]
}

const pkceStep = (
  pkce: NonNullable<Inspection["login"]>["pkce"],
  supported: ReadonlyArray<string> | undefined
): Step => {
  const facts = { code_challenge_methods_supported: supported ?? null }
  if (Result.isFailure(pkce)) {
    return failedFor(
      "pkce",
      pkce.failure,
      "If the server supports S256 all the same, configure `authorization_url`, `token_url` and `use_pkce`",
      facts
    )
  }
  const method = pkce.success
  if (method === "S256") return ok("pkce", "S256", { ...facts, method })
  return method === undefined
    ? warning("pkce", "off", "Set `use_pkce` if the server supports it", { ...facts, method: null })
    : warning("pkce", "plain", "Use S256 if the server supports it", { ...facts, method })
}
