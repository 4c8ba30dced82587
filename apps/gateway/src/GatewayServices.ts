import { layerOAuthHttp } from "@secure-mcp/mtls"
import { OAuthService } from "@secure-mcp/oauth-core"
import { GrantsLayer } from "@secure-mcp/oauth-flows"
import { OAuthMetrics } from "@secure-mcp/oauth-metrics"
import { SingleFlightTokenCache } from "@secure-mcp/token-cache"
import * as Layer from "effect/Layer"
import type { GatewaySettings } from "./config/GatewaySettings.ts"

/**
 * The packages of this family, wired: tokens are obtained by the flows of oauth-flows over connections of mtls,
 * kept in memory and counted. To swap one of them, copy this file and change its line.
 */
export const gatewayServices = (settings: Pick<GatewaySettings, "authTimeoutSeconds">) =>
  OAuthService.layer.pipe(
    Layer.provide(GrantsLayer.layerOptions({ authTimeout: `${settings.authTimeoutSeconds} seconds` })),
    Layer.provideMerge(SingleFlightTokenCache.layerMemory),
    Layer.provideMerge(OAuthMetrics.layer),
    Layer.provide(layerOAuthHttp)
  )
