import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import type { GatewayConfig } from "./config/GatewayConfig.ts"
import { accessMiddleware } from "./http/AccessMiddleware.ts"
import { watchClient } from "./http/ClientConnection.ts"
import { McpRoute } from "./http/McpRoute.ts"
import { OperationsRoutes } from "./http/OperationsRoutes.ts"
import { Servers } from "./upstream/Servers.ts"
import { Logins } from "./login/Logins.ts"

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
      NodeHttpServer.layer(makeServer, {
        host: config.gateway.host,
        port: config.gateway.port,
        gracefulShutdownTimeout: "10 seconds"
      })
    ),
    Layer.provide(Servers.layer(config)),
    Layer.provide(Logins.layer(config.gateway))
  )

const makeServer = () => {
  const server = createServer({
    // Milliseconds a client may take to send one request; answers, such as event streams, may take forever.
    requestTimeout: 60_000,
    // Ignore an offer to upgrade to HTTP/2 or WebSocket and serve the request itself (RFC 9110 §7.8).
    shouldUpgradeCallback: () => false,
    // The system asks a silent client each minute whether it is still there: it may have gone without a word.
    keepAlive: true,
    keepAliveInitialDelay: 60_000
  })
  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    watchClient(request, response)
    // Otherwise a client that keeps its connection open would still be served while the gateway stops.
    response.once("finish", () => {
      if (!server.listening) request.socket.destroySoon()
    })
  }
  // Otherwise Node gives no answer to a client that has closed its sending side.
  return Object.assign(server, { httpAllowHalfOpen: true })
    .on("request", onRequest)
    .on("checkContinue", onRequest)
}
