import { ClientCertificates } from "@secure-mcp/mtls"
import { makeCertificateNotice, OAuthEvents } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { GatewayConfig } from "../config/GatewayConfig.ts"

/**
 * Tells the metrics when the client certificates of the entries expire: from the start on, and soon after one was
 * replaced, also for a server that nobody uses at the time.
 */
export const certificateExpiry = ({ servers }: GatewayConfig) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const certificates = yield* ClientCertificates
      const notice = makeCertificateNotice(yield* OAuthEvents)
      const look = Effect.forEach(
        servers,
        ({ oauth, serverName }) =>
          certificates.connection(oauth).pipe(
            Effect.flatMap((connection) => notice(serverName, connection)),
            // A request for a token reports a certificate that cannot be used.
            Effect.ignore
          ),
        { discard: true }
      )
      yield* look
      yield* Effect.forkScoped(Effect.forever(Effect.delay(look, "10 seconds")))
    })
  )
