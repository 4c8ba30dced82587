import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import type { GatewayConfig } from "./config/GatewayConfig.ts"
import { accessMiddleware } from "./http/AccessMiddleware.ts"
import { makeListener } from "./http/Listener.ts"
import { McpRoute } from "./http/McpRoute.ts"
import { OperationsRoutes } from "./http/OperationsRoutes.ts"
import { RequestBodies } from "./upstream/RequestBody.ts"
import { limitsOf, Servers } from "./upstream/Servers.ts"
import { Logins } from "./login/Logins.ts"

/**
 * The gateway's HTTP server, with TLS if `gateway.tls` says so. It listens once the layer is built; when the layer is released it stops accepting,
 * lets running requests finish for up to ten seconds, and ends the children it started.
 */
export const gatewayServer = (config: GatewayConfig) =>
  HttpRouter.serve(Layer.mergeAll(McpRoute, OperationsRoutes, accessMiddleware(config.gateway)), {
    disableLogger: true,
    disableListenLog: true
  }).pipe(
    Layer.provideMerge(
      Layer.unwrap(
        Effect.map(makeListener(config.gateway.tls), (server) =>
          NodeHttpServer.layer(() => server, {
            host: config.gateway.host,
            port: config.gateway.port,
            gracefulShutdownTimeout: "10 seconds"
          })
        )
      )
    ),
    Layer.provide(Servers.layer(config)),
    Layer.provide(RequestBodies.layer(config.gateway.bufferedBytes)),
    Layer.provide(Logins.layer(config.gateway, waitingLogins(config)))
  )

const waitingLogins = (config: GatewayConfig) => {
  const byServer = new Map(
    config.servers.map((entry) => [entry.serverName, limitsOf(entry, config).waitingLogins])
  )
  return (serverName: string): number => byServer.get(serverName) ?? 0
}
