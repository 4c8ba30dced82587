import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Servers } from "../upstream/Servers.ts"
import type { Upstream } from "../upstream/Upstream.ts"
import { makeRequestLimits, type RequestLimits } from "./RequestLimits.ts"

/** An MCP server, and what its clients may take of the gateway. */
export interface McpServer {
  readonly upstream: Upstream
  readonly limits: RequestLimits
}

/** The servers of the configuration, by name. */
export class McpServers extends Context.Service<McpServers, ReadonlyMap<string, McpServer>>()(
  "@secure-mcp/gateway/McpServers"
) {
  static readonly layer = Layer.effect(
    McpServers,
    Effect.map(
      Servers,
      (servers) =>
        new Map(
          [...servers].map(([serverName, upstream]) => [
            serverName,
            { upstream, limits: makeRequestLimits(serverName, upstream.limits) }
          ])
        )
    )
  )
}
