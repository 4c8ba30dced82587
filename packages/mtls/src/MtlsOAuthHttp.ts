import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { OAuthHttp, type OAuthConnection } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ClientCertificates } from "./ClientCertificates.ts"
import type { ClientConnection } from "./ConnectionPools.ts"

const layer: Layer.Layer<OAuthHttp, never, ClientCertificates> = Layer.effect(
  OAuthHttp,
  Effect.map(ClientCertificates, (certificates) => {
    const known = new WeakMap<ClientConnection, OAuthConnection>()
    const clientOver = Effect.fnUntraced(function* (connection: ClientConnection) {
      const memo = known.get(connection)
      if (memo !== undefined) return memo
      const client = yield* Effect.provideService(
        NodeHttpClient.makeUndici,
        NodeHttpClient.Dispatcher,
        connection.dispatcher
      )
      const made: OAuthConnection = {
        client,
        certificateThumbprint: connection.certificateThumbprint,
        certificateExpiresAt: connection.certificateExpiresAt
      }
      known.set(connection, made)
      return made
    })
    return OAuthHttp.of({
      connection: (config) => Effect.flatMap(certificates.connection(config), clientOver)
    })
  })
)

/** `OAuthHttp` over the connections of `ClientCertificates`: `use_mtls` and `ca_bundle_path` take effect. */
export const MtlsOAuthHttp = { layer }
