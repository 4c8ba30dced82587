import * as Layer from "effect/Layer"
import type { GatewayConfig } from "./config/GatewayConfig.ts"
import { GatewayServer, Upstream } from "./GatewayServer.ts"
import { gatewayServices } from "./GatewayServices.ts"
import { Access } from "./http/Access.ts"
import { McpRoute } from "./http/McpRoute.ts"
import { OperationsRoutes } from "./http/OperationsRoutes.ts"
import { PersonRoutes } from "./persons/PersonRoutes.ts"

/**
 * The gateway that the command `secure-mcp-gateway serve` runs. To make one of your own, begin with a copy of this and
 * change a line.
 *
 * @example
 * ```ts
 * import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
 * import * as NodeServices from "@effect/platform-node/NodeServices"
 * import { defaultGateway, loadConfigFile } from "@secure-mcp/gateway-server"
 * import { ClientCertificates } from "@secure-mcp/mtls"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 *
 * const program = Effect.flatMap(loadConfigFile("gateway.json"), (config) => Layer.launch(defaultGateway(config)))
 *
 * const platform = ClientCertificates.layer.pipe(Layer.provideMerge(NodeServices.layer))
 *
 * program.pipe(Effect.provide(platform), NodeRuntime.runMain)
 * ```
 */
export const defaultGateway = (config: GatewayConfig) =>
  GatewayServer.layer(config, {
    // `/servers/:server_name/mcp`; `/healthz`, `/readyz`, `/metrics` and `/metrics.json`; `/me`.
    routes: Layer.mergeAll(McpRoute, OperationsRoutes, PersonRoutes.layer(config.gateway)),
    // Who may use them: `api_keys`, `allowed_hosts`, and nothing that a page of others sends.
    access: Access.layer(config.gateway),
    // One MCP server for each entry of `servers`.
    upstream: Upstream.layer(config)
  }).pipe(
    // Where tokens come from and are kept, and what is counted: `GatewayServices.ts` has a line for each.
    Layer.provide(gatewayServices(config))
  )
