import type { AccessTokenRequest } from "@secure-mcp/oauth-core"
import { accessTokenRequest as tokenRequestFor, type ServerEntry } from "@secure-mcp/transport-injection"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { GatewayConfig } from "../config/GatewayConfig.ts"
import { makeHttpUpstream } from "./HttpUpstream.ts"
import { makeStdioUpstream } from "./StdioUpstream.ts"
import type { Upstream } from "./Upstream.ts"

/** The MCP servers of a configuration, ready to be talked to, by name. */
export class Servers extends Context.Service<Servers, ReadonlyMap<string, Upstream>>()(
  "@secure-mcp/gateway/Servers"
) {
  /** One upstream for each entry; children end with the layer. */
  static readonly layer = (config: GatewayConfig) =>
    Layer.effect(
      Servers,
      Effect.forEach(config.servers, (entry) =>
        Effect.map(makeUpstream(entry, config), (upstream) => [entry.serverName, upstream] as const)
      ).pipe(Effect.map((entries) => new Map(entries)))
    )
}

const makeUpstream = Effect.fnUntraced(function* (entry: ServerEntry, config: GatewayConfig) {
  const tokenRequest: Upstream["tokenRequest"] = ({ subject }) => accessTokenRequest(entry, config, subject)
  const upstream: Upstream =
    entry._tag === "Http"
      ? yield* makeHttpUpstream(entry, tokenRequest)
      : yield* makeStdioUpstream(entry, tokenRequest)
  return upstream
})

/** What to ask for on behalf of a person or of the gateway itself; undefined for an entry that wants no token. */
export const accessTokenRequest = (
  entry: ServerEntry,
  { configId, projectId }: Pick<GatewayConfig, "configId" | "projectId">,
  subject: string | undefined
): AccessTokenRequest | undefined => tokenRequestFor(entry, { configId, projectId, subject })
