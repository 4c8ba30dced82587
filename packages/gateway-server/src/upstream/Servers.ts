import { type AccessTokenRequest, usesCallerToken } from "@secure-mcp/oauth-core"
import {
  accessTokenRequest as tokenRequestFor,
  defaultLimits,
  type HttpServerEntry,
  type Limits,
  type ServerEntry
} from "@secure-mcp/transport-injection"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type { GatewayConfig } from "../config/GatewayConfig.ts"
import { makeCallerTokens } from "../callers/CallerTokens.ts"
import { personOf } from "../callers/Person.ts"
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
      Effect.map(
        Effect.forEach(config.servers, (entry) => named(entry, config, makeUpstream(entry, config))),
        (servers) => new Map(servers)
      )
    ).pipe(Layer.provide(ChildProcesses.layer))

  /**
   * Makes only the upstreams that hold nothing but what `SessionOwners` has: those over Streamable HTTP. A client certificate
   * belongs to the token that was obtained with it, so servers with `use_mtls` are not among them.
   */
  static readonly layerForwarded = (config: GatewayConfig) =>
    Layer.effect(
      Servers,
      Effect.map(
        Effect.forEach(config.servers.filter(isForwarded), (entry) =>
          named(entry, config, makeForwarding(entry, config, tokenRequests(entry, config)))
        ),
        (servers) => new Map(servers)
      )
    )
}

const named = <E, R>(entry: ServerEntry, config: GatewayConfig, upstream: Effect.Effect<Upstream, E, R>) =>
  Effect.map(upstream, (upstream) => {
    const server: Server = { ...upstream, limits: limitsOf(entry, config) }
    return [entry.serverName, server] as const
  })

const isForwarded = (entry: ServerEntry): entry is HttpServerEntry =>
  entry._tag === "Http" &&
  entry.transport !== "sse" &&
  entry.oauth?.useMtls !== true &&
  // The rules stand before all servers of the gateway, and are the owner's business, as are the tokens of callers.
  entry.tools === undefined &&
  (entry.oauth === undefined || !usesCallerToken(entry.oauth))

const makeUpstream = Effect.fnUntraced(function* (entry: ServerEntry, config: GatewayConfig) {
  const tokenRequest = tokenRequests(entry, config)
  const upstream: Upstream =
    entry._tag === "Http"
      ? entry.transport === "sse"
        ? yield* makeSseUpstream(entry, tokenRequest, limitsOf(entry, config))
        : yield* makeForwarding(entry, config, tokenRequest)
      : yield* makeStdioUpstream(entry, tokenRequest, limitsOf(entry, config))
  return upstream
})

const makeForwarding = Effect.fnUntraced(function* (
  entry: HttpServerEntry,
  config: GatewayConfig,
  tokenRequest: Upstream["tokenRequest"]
) {
  const upstream: Upstream = yield* makeHttpUpstream(entry, tokenRequest, yield* sessionsOf(entry, config))
  return upstream
})

/** One for each caller: whoever is asked for a token knows the request again. */
const tokenRequests = (entry: ServerEntry, config: GatewayConfig): Upstream["tokenRequest"] => {
  const requests = new WeakMap<Caller, ReturnType<Upstream["tokenRequest"]>>()
  const callerTokens =
    entry.oauth !== undefined && usesCallerToken(entry.oauth) ? makeCallerTokens() : undefined
  return (caller) => {
    const known = requests.get(caller)
    if (known !== undefined) return known
    const request = accessTokenRequest(entry, config, personOf(caller))
    const callerToken = callerTokens?.(caller)
    const completed = request && {
      ...request,
      ...(caller.issuer === undefined ? {} : { subjectName: caller.subject, subjectIssuer: caller.issuer }),
      ...(callerToken === undefined ? {} : { callerToken })
    }
    // Whoever asks for a person, and not for a caller, gets the token that this person has now.
    if (callerTokens === undefined || caller.token !== undefined) requests.set(caller, completed)
    return completed
  }
}

/** What an entry's sessions are bound to; undefined if everybody who has access is the same person. */
const sessionsOf = (entry: ServerEntry, config: GatewayConfig) => {
  const people = new Set(
    config.gateway.apiKeys.map((apiKey) => (Redacted.isRedacted(apiKey) ? apiKey : apiKey.subject))
  )
  return people.size > 1 || config.gateway.callers !== undefined
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
