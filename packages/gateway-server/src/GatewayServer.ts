import type { ListenOptions } from "node:net"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import { CallerExpiry } from "./callers/CallerExpiry.ts"
import { CurrentResources, makePublicResources } from "./callers/PublicResources.ts"
import type { GatewayConfig } from "./config/GatewayConfig.ts"
import { Access } from "./http/Access.ts"
import { accessMiddleware } from "./http/AccessMiddleware.ts"
import { BegunExchanges } from "./http/BegunExchanges.ts"
import { makeDirectAnswers } from "./http/DirectAnswers.ts"
import { answerFirst, Listener } from "./http/Listener.ts"
import { McpRoute } from "./http/McpRoute.ts"
import { McpServers } from "./http/McpServers.ts"
import { OperationsRoutes } from "./http/OperationsRoutes.ts"
import { RequestRefusals } from "./http/RequestRefusals.ts"
import { restrictedServers } from "./tools/ToolUpstream.ts"
import { RequestBodies } from "./upstream/RequestBody.ts"
import { limitsOf, Servers } from "./upstream/Servers.ts"
import type { Upstream as McpUpstream } from "./upstream/Upstream.ts"
import { Logins } from "./login/Logins.ts"
import { CompanyLogins } from "./persons/CompanyLogins.ts"
import { PersonRoutes } from "./persons/PersonRoutes.ts"
import { PersonActivity } from "./status/PersonActivity.ts"

/** An MCP server behind the gateway. */
export type Upstream = McpUpstream

/** The MCP servers behind the gateway, as a part of it. */
export const Upstream = {
  /** `Servers` with one for each entry of `servers`: over Streamable HTTP, over HTTP+SSE, or a child process. */
  layer: Servers.layer
}

/** The parts of the HTTP server that can be replaced. */
export interface GatewayServerOptions<AE, AR, UE, UR, RE, RR> {
  /** Who may use the gateway. Default: `Access.layer(config.gateway)`. */
  readonly access?: Layer.Layer<Access, AE, AR> | undefined
  /** The MCP servers. Default: `Upstream.layer(config)`. */
  readonly upstream?: Layer.Layer<Servers, UE, UR> | undefined
  /**
   * The routes, all behind `access`. Default: `McpRoute`, `OperationsRoutes` and `PersonRoutes.layer(config.gateway)`. Merge them with your own, made with
   * `HttpRouter.add`.
   */
  readonly routes?: Layer.Layer<never, RE, RR> | undefined
  /** Where it listens, if not where the configuration says. */
  readonly address?: ListenOptions | undefined
}

const defaultRoutes = ({ gateway }: GatewayConfig) =>
  Layer.mergeAll(McpRoute, OperationsRoutes, PersonRoutes.layer(gateway))

const layer = <AE = never, AR = never, UE = never, UR = never, RE = never, RR = never>(
  config: GatewayConfig,
  { access, address = config.gateway, routes, upstream }: GatewayServerOptions<AE, AR, UE, UR, RE, RR> = {}
) => {
  const routing: Or<ReturnType<typeof defaultRoutes>, RE, RR> = routes ?? defaultRoutes(config)
  const servers: Or<ReturnType<typeof Upstream.layer>, UE, UR> = upstream ?? Upstream.layer(config)
  const rules: Or<ReturnType<typeof Access.layer>, AE, AR> = access ?? Access.layer(config.gateway)
  return directAnswers.pipe(
    Layer.provideMerge(routed(routing)),
    Layer.provide(rules),
    Layer.provide(BegunExchanges.layer),
    Layer.provide(RequestRefusals.layer),
    Layer.provide(CallerExpiry.layer(config.gateway)),
    Layer.provide(Layer.succeed(CurrentResources, makePublicResources(config.gateway))),
    Layer.provideMerge(listener(address)),
    Layer.provide(Listener.layer(config.gateway.tls)),
    Layer.provide(McpServers.layer),
    Layer.provide(restrictedServers(config)),
    Layer.provide(servers),
    Layer.provide(RequestBodies.layer(config.gateway.bufferedBytes)),
    // In one build, the same one whose events `gatewayServices` records.
    Layer.provide(PersonActivity.layer),
    Layer.provide(
      Logins.layer(
        config.gateway,
        waitingLogins(config),
        config.servers.flatMap(({ oauth }) => oauth ?? [])
      )
    ),
    Layer.provide(CompanyLogins.layer(config.gateway))
  )
}

/** A part, or another one in its place. */
type Or<Part extends Layer.Any, E, R> = Layer.Layer<
  Layer.Success<Part>,
  Layer.Error<Part> | E,
  Layer.Services<Part> | R
>

/** The HTTP server of the gateway, of its parts. */
export const GatewayServer = {
  /**
   * The HTTP server, with TLS if `gateway.tls` says so. It listens once the layer is built; when the layer is released it
   * stops accepting, lets running requests finish for up to ten seconds, and ends the children it started.
   *
   * @example
   * ```ts
   * import { CurrentCaller, GatewayServer, type GatewayConfig, McpRoute } from "@secure-mcp/gateway-server"
   * import * as Effect from "effect/Effect"
   * import * as HttpRouter from "effect/http/HttpRouter"
   * import * as HttpServerResponse from "effect/http/HttpServerResponse"
   * import * as Layer from "effect/Layer"
   *
   * const WhoAmI = HttpRouter.add(
   *   "GET",
   *   "/whoami",
   *   Effect.flatMap(CurrentCaller, ({ subject }) => HttpServerResponse.json({ subject: subject ?? null }))
   * )
   *
   * export const server = (config: GatewayConfig) =>
   *   GatewayServer.layer(config, { routes: Layer.mergeAll(McpRoute, WhoAmI) })
   * ```
   */
  layer
}

/**
 * `GatewayServer.layer` with its default parts.
 *
 * @param address where it listens, if not where the configuration says
 */
export const gatewayServer = (config: GatewayConfig, address?: ListenOptions) => layer(config, { address })

const routed = <E, R>(routes: Layer.Layer<never, E, R>) =>
  HttpRouter.serve(Layer.merge(routes, Layer.unwrap(accessOfRoutes)), {
    disableLogger: true,
    disableListenLog: true
  })

const accessOfRoutes = Effect.gen(function* () {
  return accessMiddleware(yield* Access, yield* CallerExpiry)
})

const listener = ({ host, path, port }: ListenOptions) =>
  Layer.unwrap(
    Effect.map(Listener, (server) =>
      NodeHttpServer.layer(() => server, path === undefined ? { host, port } : { path })
    )
  )

const directAnswers = Layer.effectDiscard(
  Effect.gen(function* () {
    yield* answerFirst(yield* Listener, yield* makeDirectAnswers(yield* Access))
  })
)

const waitingLogins = (config: GatewayConfig) => {
  const byServer = new Map(
    config.servers.map((entry) => [entry.serverName, limitsOf(entry, config).waitingLogins])
  )
  return (serverName: string): number => byServer.get(serverName) ?? 0
}
