import { Misconfigured } from "@secure-mcp/oauth-core"
import type { GrantRequest } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { configuredClient } from "./ConfiguredClient.ts"
import { configuredEndpoint } from "./Endpoint.ts"
import { ResolvedClients } from "./ResolvedClient.ts"

const resolve = Effect.fn("ClientResolution.resolve")(function* ({ config }: GrantRequest) {
  if (config.tokenUrl === undefined) {
    return yield* new Misconfigured({ problem: "`token_url` is not configured" })
  }
  const at = (kind: string, url: string | undefined) =>
    url === undefined ? undefined : configuredEndpoint(kind, url)
  return {
    issuer: config.issuer,
    tokenEndpoint: configuredEndpoint("token", config.tokenUrl),
    authorizationEndpoint: at("authorization", config.authorizationUrl),
    revocationEndpoint: at("revocation", config.revocationUrl),
    deviceAuthorizationEndpoint: at("device authorization", config.deviceAuthorizationUrl),
    metadata: undefined,
    resource: config.resource,
    scope: config.scope,
    client: yield* configuredClient(config, config.issuer ?? config.tokenUrl, undefined)
  }
})

export const ClientResolution = {
  layer: Layer.succeed(ResolvedClients, { resolve })
}
