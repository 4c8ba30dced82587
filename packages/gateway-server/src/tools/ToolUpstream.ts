import { OAuthEvents } from "@secure-mcp/oauth-core"
import { makeToolCheck, type ToolRules } from "@secure-mcp/transport-injection"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { GatewayConfig } from "../config/GatewayConfig.ts"
import { sendJson } from "../jsonrpc/HttpAnswer.ts"
import { type Exchange, type Upstream, UpstreamFailure } from "../upstream/Upstream.ts"
import { limitsOf, Servers } from "../upstream/Servers.ts"
import { filterAnswer } from "./FilteredAnswer.ts"
import { refusedCall } from "./ToolCalls.ts"

/** Keeps to the `tools` of a configuration, whatever the servers are. */
export const restrictedServers = (config: GatewayConfig) =>
  Layer.effect(
    Servers,
    Effect.gen(function* () {
      const restricted = new Map(yield* Servers)
      for (const entry of config.servers) {
        const { serverName, tools: rules } = entry
        const server = restricted.get(serverName)
        if (server === undefined || rules === undefined) continue
        const { messageBytes: maxBytes } = limitsOf(entry, config)
        const upstream = yield* withToolRules(server, { serverName, rules, maxBytes })
        restricted.set(serverName, { ...upstream, limits: server.limits })
      }
      return restricted
    })
  )

/**
 * A server of which clients see and call only some tools. Each request is read before it is sent, so there is no way without a fiber.
 *
 * @param options.maxBytes of an answer
 */
const withToolRules = Effect.fnUntraced(function* (
  upstream: Upstream,
  {
    maxBytes,
    rules,
    serverName
  }: { readonly serverName: string; readonly rules: ToolRules; readonly maxBytes: number }
) {
  const events = yield* OAuthEvents
  const mayUse = makeToolCheck(rules)
  const filtered = new WeakSet<Exchange["response"]>()

  const refuse = (exchange: Exchange) => {
    const { body, request } = exchange
    if (body.rest !== undefined) return Effect.fail(tooLarge(serverName, body.restBecause))
    if (request.method !== "POST") return Effect.undefined
    if (!isPlain(request.headers["content-encoding"])) return Effect.fail(encoded(serverName))
    const [method, name] = ["mcp-method", "mcp-name"].map((header) => request.headers[header]?.toString())
    return refusedCall({ body: body.head, method, name }, mayUse)
  }

  const handle: Upstream["handle"] = (exchange) =>
    Effect.flatMap(refuse(exchange), (refused) => {
      if (refused !== undefined)
        return Effect.andThen(
          events.publish({ _tag: "ToolCallRefused", serverName }),
          Effect.sync(() => sendJson(exchange.response, refused.status, refused.text))
        )
      // A request may be handled again, after a login.
      if (!filtered.has(exchange.response)) filterAnswer(exchange.response, mayUse, maxBytes)
      filtered.add(exchange.response)
      // What has no coding need not be decoded.
      exchange.request.headers["accept-encoding"] = "identity"
      return upstream.handle(exchange)
    })

  const { tokenRequest } = upstream
  return { tokenRequest, handle } satisfies Upstream
})

const isPlain = (coding: string | undefined): boolean =>
  coding === undefined || coding.trim().toLowerCase() === "identity"

const tooLarge = (serverName: string, because: "TooLong" | "NoRoom" | undefined) =>
  because === "NoRoom"
    ? new UpstreamFailure({
        serverName,
        reason: "TooManyRequests",
        problem: "There is no room for its body (`gateway.limits.buffered_bytes`). Send the request again",
        retryAfterSeconds: 1
      })
    : new UpstreamFailure({
        serverName,
        reason: "RequestTooLarge",
        problem: "With `tools` the body of a request is at most 4 MiB, because it is read before it is sent"
      })

const encoded = (serverName: string) =>
  new UpstreamFailure({
    serverName,
    reason: "RequestEncoded",
    problem: "With `tools` the body of a request is read before it is sent: send it without Content-Encoding"
  })
