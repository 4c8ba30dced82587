import type { ListenOptions } from "node:net"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import type { GatewayConfig } from "./config/GatewayConfig.ts"
import { type Access, makeAccess } from "./http/Access.ts"
import { accessMiddleware } from "./http/AccessMiddleware.ts"
import { BegunExchanges } from "./http/BegunExchanges.ts"
import { makeDirectAnswers } from "./http/DirectAnswers.ts"
import { answerFirst, Listener } from "./http/Listener.ts"
import { McpRoute } from "./http/McpRoute.ts"
import { McpServers } from "./http/McpServers.ts"
import { OperationsRoutes } from "./http/OperationsRoutes.ts"
import { RequestRefusals } from "./http/RequestRefusals.ts"
import { RequestBodies } from "./upstream/RequestBody.ts"
import { limitsOf, Servers } from "./upstream/Servers.ts"
import { Logins } from "./login/Logins.ts"

/**
 * The gateway's HTTP server, with TLS if `gateway.tls` says so. It listens once the layer is built; when the layer is released it stops accepting,
 * lets running requests finish for up to ten seconds, and ends the children it started.
 *
 * @param address where it listens, if not where the configuration says
 */
export const gatewayServer = (config: GatewayConfig, address: ListenOptions = config.gateway) => {
  const access = makeAccess(config.gateway)
  return directAnswers(access).pipe(
    Layer.provideMerge(routes(access)),
    Layer.provide(BegunExchanges.layer),
    Layer.provide(RequestRefusals.layer),
    Layer.provideMerge(listener(address)),
    Layer.provide(Listener.layer(config.gateway.tls)),
    Layer.provide(McpServers.layer),
    Layer.provide(Servers.layer(config)),
    Layer.provide(RequestBodies.layer(config.gateway.bufferedBytes)),
    Layer.provide(Logins.layer(config.gateway, waitingLogins(config)))
  )
}

const routes = (access: Access) =>
  HttpRouter.serve(Layer.mergeAll(McpRoute, OperationsRoutes, accessMiddleware(access)), {
    disableLogger: true,
    disableListenLog: true
  })

const listener = ({ host, path, port }: ListenOptions) =>
  Layer.unwrap(
    Effect.map(Listener, (server) =>
      NodeHttpServer.layer(() => server, path === undefined ? { host, port } : { path })
    )
  )

const directAnswers = (access: Access) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      yield* answerFirst(yield* Listener, yield* makeDirectAnswers(access))
    })
  )

const waitingLogins = (config: GatewayConfig) => {
  const byServer = new Map(
    config.servers.map((entry) => [entry.serverName, limitsOf(entry, config).waitingLogins])
  )
  return (serverName: string): number => byServer.get(serverName) ?? 0
}
