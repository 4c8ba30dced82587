import { OAuthError, withoutCorrelationId } from "@secure-mcp/oauth-core"
import type { HttpServerEntry, Limits } from "@secure-mcp/transport-injection"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpBridge from "../bridge/HttpBridge.ts"
import { type FetchRequest, UpstreamFailed } from "../fetch/Fetch.ts"
import { ConnectionFailed } from "../jsonrpc/MessageConnection.ts"
import { connectSse } from "../sse/SseConnection.ts"
import { makeUpstreamFetch } from "./UpstreamFetch.ts"
import { makeBridgedUpstream } from "./BridgedUpstream.ts"
import type { Upstream } from "./Upstream.ts"

/**
 * Makes the upstream of an entry with `transport: "sse"`: a server of HTTP+SSE, offered over Streamable HTTP. Each session
 * has a connection of its own, and ends with it.
 */
export const makeSseUpstream = Effect.fnUntraced(function* (
  entry: HttpServerEntry,
  tokenRequest: Upstream["tokenRequest"],
  limits: Limits
) {
  const { serverName } = entry
  const fetchWith = yield* makeUpstreamFetch(entry)
  const settings = {
    serverName,
    limits,
    startTimeout: Duration.seconds(entry.startTimeoutSeconds),
    connect: (owner: string | undefined) => {
      const server = {
        // The token of a caller may have been replaced since the connection was made.
        fetch: (request: FetchRequest) =>
          Effect.mapError(fetchWith(tokenRequest({ subject: owner }))(request), withholdAddress),
        messageBytes: limits.messageBytes
      }
      return (onMessage: Parameters<typeof connectSse>[1]) =>
        connectSse(server, onMessage).pipe(
          Effect.tapError(logAddress),
          Effect.mapError((failure) => reasonOf(serverName, withholdAddress(failure))),
          withoutCorrelationId
        )
    }
  }
  const bridge = yield* HttpBridge.make(settings)
  return makeBridgedUpstream(serverName, "a server of HTTP+SSE", bridge, tokenRequest)
})

/** Leaves the address of the server to the log. */
const withholdAddress = (failure: UpstreamFailed): UpstreamFailed =>
  failure.withoutAddress === undefined
    ? failure
    : new UpstreamFailed({ kind: failure.kind, problem: failure.withoutAddress })

const logAddress = ({ message, withoutAddress }: UpstreamFailed) =>
  withoutAddress === undefined ? Effect.void : Effect.logWarning(message)

/** A missing token is no fault of the connection: a login may help. */
const reasonOf = (serverName: string, { cause, problem }: UpstreamFailed) =>
  cause instanceof OAuthError
    ? cause
    : new ConnectionFailed({
        serverName,
        problem: `The MCP server "${serverName}" cannot be reached: ${problem}`
      })
