import { MtlsOAuthHttp } from "@secure-mcp/mtls"
import { OAuthService } from "@secure-mcp/oauth-core"
import { type Flow, LoginRequests, OAuthFlows, SecretSource } from "@secure-mcp/oauth-flows"
import { OAuthMetrics } from "@secure-mcp/oauth-metrics"
import {
  SingleFlightTokenCache,
  StoredLoginRecords,
  StoredRegisteredClients,
  TokenCapacity
} from "@secure-mcp/token-cache"
import { TokenInjector } from "@secure-mcp/transport-injection"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { GatewayConfig } from "./config/GatewayConfig.ts"
import { gatewayStore } from "./GatewayStore.ts"
import { accessTokenRequest } from "./upstream/Servers.ts"
import { certificateExpiry } from "./status/CertificateExpiry.ts"
import { LastErrors } from "./status/LastErrors.ts"
import { PersonActivity } from "./status/PersonActivity.ts"

/**
 * The tokens of a configuration, over any `TokenStore` and any `OAuthHttp`: oauth-flows obtains them, token-cache caches and
 * stores them and the registered clients, transport-injection gives them to requests.
 *
 * `flows` are grants of your own: the same as the `grants` that the configuration was decoded with.
 */
export const gatewayTokens = (
  config: GatewayConfig,
  { flows = [] }: { readonly flows?: ReadonlyArray<Flow> } = {}
) =>
  TokenInjector.layer.pipe(
    Layer.provideMerge(OAuthService.layer),
    Layer.provide(
      OAuthFlows.layerWith(flows, { authTimeout: `${config.gateway.authTimeoutSeconds} seconds` })
    ),
    Layer.provide(rereadSecrets(config)),
    Layer.provide(StoredRegisteredClients.layer),
    Layer.provide(loginRequests(config)),
    Layer.provideMerge(StoredLoginRecords.layer),
    Layer.provideMerge(SingleFlightTokenCache.layer),
    Layer.provide(Layer.succeed(TokenCapacity, tokenCapacity(config))),
    Layer.merge(certificateExpiry(config))
  )

/**
 * `gatewayTokens` over the configured store and the connections of mtls; oauth-metrics counts. To replace one of them, write
 * your own version of this layer: each has one line.
 *
 * `flows` are grants of your own: the same as the `grants` that the configuration was decoded with.
 */
export const gatewayServices = (
  config: GatewayConfig,
  options: { readonly flows?: ReadonlyArray<Flow> } = {}
) =>
  gatewayTokens(config, options).pipe(
    Layer.provideMerge(gatewayStore(config)),
    Layer.provide(MtlsOAuthHttp.layer),
    Layer.provide([LastErrors.layerEvents, PersonActivity.layerEvents]),
    Layer.provideMerge(OAuthMetrics.layer),
    Layer.provideMerge([LastErrors.layer(config), PersonActivity.layer])
  )

/** Room for a token of each person at each server: without it, the tokens of many people would drive each other out. */
const tokenCapacity = ({ gateway, servers }: GatewayConfig): number =>
  Math.max(10_000, (gateway.apiKeys.length + (gateway.callers?.rememberedTokens ?? 1)) * servers.length)

/** For a login that another instance began: which configuration it belongs to. */
const loginRequests = (config: GatewayConfig) => {
  const entries = new Map(config.servers.map((entry) => [entry.serverName, entry]))
  return Layer.succeed(LoginRequests, {
    find: (serverName, subject) => {
      const entry = entries.get(serverName)
      return entry && accessTokenRequest(entry, config, subject)
    }
  })
}

const rereadSecrets = ({ rereadSecrets }: GatewayConfig) =>
  Layer.succeed(SecretSource, {
    reread: ({ serverName }) => rereadSecrets?.(serverName) ?? Effect.undefined
  })
