import { createServer } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import type { GatewayConfig } from "./config/GatewayConfig.ts"
import { accessMiddleware } from "./http/AccessMiddleware.ts"
import { McpRoute } from "./http/McpRoute.ts"
import { OperationsRoutes } from "./http/OperationsRoutes.ts"
import { Servers } from "./http/Servers.ts"

/**
 * The gateway's HTTP server. It listens once the layer is built; when the layer is released it stops accepting,
 * lets running requests finish for up to ten seconds, and ends the children it started.
 */
export const gatewayServer = (config: GatewayConfig) =>
  HttpRouter.serve(Layer.mergeAll(McpRoute, OperationsRoutes, accessMiddleware(config.gateway)), {
    disableLogger: true,
    disableListenLog: true
  }).pipe(
    Layer.provideMerge(
      NodeHttpServer.layer(() => createServer({ requestTimeout: requestTimeoutMillis }), {
        host: config.gateway.host,
        port: config.gateway.port,
        gracefulShutdownTimeout: "10 seconds"
      })
    ),
    Layer.provide(Servers.layer(config))
  )

/** Bounds how long a client may take to send one request; answers, such as event streams, may take forever. */
const requestTimeoutMillis = 60_000
