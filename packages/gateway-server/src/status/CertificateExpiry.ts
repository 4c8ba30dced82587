import { OAuthHttp } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { GatewayConfig } from "../config/GatewayConfig.ts"

/** Loads the client certificates of all entries, so that the metrics know when they expire before the first request. */
export const certificateExpiry = ({ servers }: GatewayConfig) =>
  Layer.effectDiscard(
    OAuthHttp.use((http) =>
      Effect.forEach(
        servers,
        ({ oauth, proxies, serverName }) =>
          // The first request that needs it reports a certificate that cannot be used.
          oauth === undefined ? Effect.void : Effect.ignore(http.connection(oauth, { serverName, proxies })),
        { discard: true }
      )
    )
  )
