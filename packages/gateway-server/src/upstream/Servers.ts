import type { AccessTokenRequest } from "@secure-mcp/oauth-core"
import {
  accessTokenRequest as tokenRequestFor,
  defaultLimits,
  type Limits,
  type ServerEntry
} from "@secure-mcp/transport-injection"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type { GatewayConfig } from "../config/GatewayConfig.ts"
import { ChildProcesses } from "../child/ChildProcesses.ts"
import { makeSessionBindings } from "../sessions/SessionBindings.ts"
import { makeHttpUpstream } from "./HttpUpstream.ts"
import { makeSseUpstream } from "./SseUpstream.ts"
import { makeStdioUpstream } from "./StdioUpstream.ts"
import type { Caller, Upstream } from "./Upstream.ts"

/** A server of the configuration. */
export interface Server extends Upstream {
  readonly limits: Limits
}

/** The servers of a configuration, by name. */
export class Servers extends Context.Service<Servers, ReadonlyMap<string, Server>>()(
  "@secure-mcp/gateway/Servers"
) {
  /** Makes one upstream for each entry of `servers`. Child processes are stopped with the layer. */
  static readonly layer = (config: GatewayConfig) =>
    Layer.effect(
      Servers,
      Effect.forEach(config.servers, (entry) =>
        Effect.map(makeUpstream(entry, config), (upstream) => {
          const server: Server = { ...upstream, limits: limitsOf(entry, config) }
          return [entry.serverName, server] as const
        })
      ).pipe(Effect.map((entries) => new Map(entries)))
    ).pipe(Layer.provide(ChildProcesses.layer))
}

const makeUpstream = Effect.fnUntraced(function* (entry: ServerEntry, config: GatewayConfig) {
  // One for each caller: whoever is asked for a token knows the request again.
  const requests = new WeakMap<Caller, ReturnType<Upstream["tokenRequest"]>>()
  const tokenRequest: Upstream["tokenRequest"] = (caller) => {
    const known = requests.get(caller)
    if (known !== undefined) return known
    const request = accessTokenRequest(entry, config, caller.subject)
    requests.set(caller, request)
    return request
  }
  const upstream: Upstream =
    entry._tag === "Http"
      ? entry.transport === "sse"
        ? yield* makeSseUpstream(entry, tokenRequest, limitsOf(entry, config))
        : yield* makeHttpUpstream(entry, tokenRequest, yield* sessionsOf(entry, config))
      : yield* makeStdioUpstream(entry, tokenRequest, limitsOf(entry, config))
  return upstream
})

/** What an entry's sessions are bound to; undefined if everybody who has access is the same person. */
const sessionsOf = (entry: ServerEntry, config: GatewayConfig) => {
  const people = new Set(
    config.gateway.apiKeys.map((apiKey) => (Redacted.isRedacted(apiKey) ? apiKey : apiKey.subject))
  )
  return people.size > 1
    ? makeSessionBindings({
        serverName: entry.serverName,
        capacity: limitsOf(entry, config).rememberedSessions
      })
    : Effect.undefined
}

/** What an entry names goes before what `gateway` names. */
export const limitsOf = (entry: ServerEntry, { gateway }: GatewayConfig): Limits => ({
  ...defaultLimits,
  ...gateway.limits,
  ...entry.limits
})

/**
 * The token request for an entry of the configuration: the one that the gateway itself makes, so that both use one token.
 *
 * @param subject the person whose token it is; counts for grants that a person gives
 * @returns undefined for an entry without `oauth.enabled`
 */
export const accessTokenRequest = (
  entry: ServerEntry,
  { configId, projectId }: Pick<GatewayConfig, "configId" | "projectId">,
  subject: string | undefined
): AccessTokenRequest | undefined => tokenRequestFor(entry, { configId, projectId, subject })
