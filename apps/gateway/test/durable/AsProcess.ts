import * as NodeServices from "@effect/platform-node/NodeServices"
import { accessTokenRequest, decodeGatewayConfig, gatewayServices } from "@secure-mcp/gateway-server"
import { ClientCertificates } from "@secure-mcp/mtls"
import type { OAuthService } from "@secure-mcp/oauth-core"
import type { TokenStore } from "@secure-mcp/token-cache"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"

const platform = Layer.merge(
  ClientCertificates.layer.pipe(Layer.provideMerge(NodeServices.layer)),
  // What it has to say is no news.
  Logger.layer([])
)

/** Runs something as a process of its own would, with what is configured. */
export const asProcess = <A, E>(
  document: object,
  use: (
    request: NonNullable<ReturnType<typeof accessTokenRequest>>
  ) => Effect.Effect<A, E, OAuthService | TokenStore>
) =>
  Effect.gen(function* () {
    const config = yield* Effect.fromResult(decodeGatewayConfig(document))
    const [entry] = config.servers
    const request = entry && accessTokenRequest(entry, config, undefined)
    if (request === undefined) return yield* Effect.die(new Error("There is no server that wants a token"))
    return yield* Effect.provide(use(request), gatewayServices(config))
  }).pipe(Effect.provide(platform), Effect.orDie)
