import { endpointProblem } from "@secure-mcp/oauth-core"
import type { GrantRequest, OAuthConfig, OAuthToken } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Client } from "../client/Client.ts"
import { configuredEndpoint, discoveredEndpoint } from "../endpoint/Endpoint.ts"
import { registeredClientOf } from "./ClientIdentity.ts"
import { configuredClient, documentedClient } from "./ConfiguredClient.ts"
import { resourceIndicator } from "./ResourceIndicator.ts"
import { scopeToRequest } from "./Scope.ts"

/**
 * The target of a grant as the grant itself remembers it, for a renewal or revocation while metadata cannot be found.
 * Undefined if it remembers too little, or what the configuration does not allow any more.
 */
export const rememberedTarget = Effect.fn("RememberedTarget.make")(function* (
  request: GrantRequest,
  previous: OAuthToken | undefined
) {
  const { config } = request
  const granted = previous?.grantedTo
  const issuer = granted?.issuer
  const tokenEndpoint = granted?.tokenEndpoint && Redacted.value(granted.tokenEndpoint)
  const revocationEndpoint = granted?.revocationEndpoint && Redacted.value(granted.revocationEndpoint)
  if (previous === undefined || issuer === undefined || tokenEndpoint === undefined) return undefined
  if (config.issuer !== undefined && config.issuer !== issuer) return undefined
  const isUsable = (url: string) => endpointProblem(url, config) === undefined
  if (!isUsable(tokenEndpoint)) return undefined
  const client = yield* rememberedClient(config, previous, issuer)
  if (client === undefined) return undefined
  return {
    issuer,
    tokenEndpoint: discoveredEndpoint("token", tokenEndpoint),
    authorizationEndpoint: undefined,
    revocationEndpoint:
      config.revocationUrl !== undefined
        ? configuredEndpoint("revocation", config.revocationUrl)
        : revocationEndpoint !== undefined && isUsable(revocationEndpoint)
          ? discoveredEndpoint("revocation", revocationEndpoint)
          : undefined,
    deviceAuthorizationEndpoint: undefined,
    metadata: undefined,
    resource: resourceIndicator(request, undefined, previous),
    scope: scopeToRequest(request, undefined, undefined),
    client
  }
})

/** The client a grant was given to, authenticated as it was then unless the configuration says otherwise. */
const rememberedClient = (
  config: OAuthConfig,
  previous: OAuthToken,
  issuer: string
): Effect.Effect<Client | undefined> => {
  const { clientId, tokenEndpointAuthMethod: method } = previous.grantedTo ?? {}
  const metadata = method === undefined ? undefined : { tokenEndpointAuthMethodsSupported: [method] }
  if (config.clientId !== undefined) {
    return config.clientId === clientId
      ? Effect.orElseSucceed(configuredClient(config, issuer, metadata), () => undefined)
      : Effect.undefined
  }
  return clientId !== undefined && clientId === config.clientMetadataUrl
    ? Effect.succeed(documentedClient(config, clientId, issuer, metadata))
    : registeredClientOf(previous, config, issuer, issuer)
}
