import type { IncomingMessage, ServerResponse } from "node:http"
import type { Limits } from "@secure-mcp/transport-injection"
import * as Effect from "effect/Effect"
import { UpstreamFailure } from "../upstream/Upstream.ts"

/**
 * What all clients of one MCP server may take of the gateway together, so that a server that is slow, or does not answer,
 * takes nothing from the others. Whoever comes too much is refused at once: a queue would only hide the slowness.
 */
export interface RequestLimits {
  /** Runs what answers a request, if there is room for it. */
  readonly admit: <E, R>(
    exchange: { readonly request: IncomingMessage; readonly response: ServerResponse },
    answer: Effect.Effect<void, E, R>
  ) => Effect.Effect<void, E | UpstreamFailure, R>
  /** Whether there is room for one more request; it is taken until `leave`. */
  readonly enter: (request: IncomingMessage, response: ServerResponse) => boolean
  /** Gives back the room of a request. */
  readonly leave: (response: ServerResponse) => void
  /** Runs what waits until a person has logged in, if there is room for one more. */
  readonly admitToLogin: <E, R>(
    wait: Effect.Effect<void, E, R>
  ) => Effect.Effect<void, E | UpstreamFailure, R>
}

/** The limits of one server. */
export const makeRequestLimits = (
  serverName: string,
  { concurrentRequests, sockets, waitingLogins }: Limits
): RequestLimits => {
  // A request moves from the first to the second when its answer has begun: a stream may then take as long as it likes.
  const unanswered = new Set<ServerResponse>()
  const streams = new Set<ServerResponse>()
  let loginsAwaited = 0

  const refusal = (key: string, limit: number, what: string) =>
    new UpstreamFailure({
      serverName,
      reason: "TooManyRequests",
      problem: `${limit} ${what}, and more are not allowed (\`limits.${key}\`). Try again later`,
      retryAfterSeconds
    })

  const moveAnswered = () => {
    for (const response of unanswered)
      if (response.headersSent) {
        unanswered.delete(response)
        streams.add(response)
      }
  }

  const take = (request: IncomingMessage, response: ServerResponse): UpstreamFailure | undefined => {
    if (unanswered.size + streams.size >= sockets)
      return refusal("sockets", sockets, "of its requests and streams are under way")
    // A GET asks for a stream, and some servers do not begin it before there is an event.
    if (request.method === "GET") {
      streams.add(response)
      return undefined
    }
    if (unanswered.size >= concurrentRequests) moveAnswered()
    if (unanswered.size >= concurrentRequests)
      return refusal("concurrent_requests", concurrentRequests, "of its requests wait for an answer")
    unanswered.add(response)
    return undefined
  }

  const release = (response: ServerResponse) => {
    unanswered.delete(response)
    streams.delete(response)
  }

  return {
    enter: (request, response) => take(request, response) === undefined,
    leave: release,

    admit: ({ request, response }, answer) =>
      Effect.acquireUseRelease(
        Effect.suspend(() => {
          const refused = take(request, response)
          return refused === undefined ? Effect.void : Effect.fail(refused)
        }),
        () => answer,
        () => Effect.sync(() => release(response))
      ),

    admitToLogin: (wait) =>
      Effect.acquireUseRelease(
        Effect.suspend(() => {
          if (loginsAwaited >= waitingLogins)
            return Effect.fail(refusal("waiting_logins", waitingLogins, "of its requests wait for a login"))
          loginsAwaited += 1
          return Effect.void
        }),
        () => wait,
        () =>
          Effect.sync(() => {
            loginsAwaited -= 1
          })
      )
  }
}

/** When a client that was refused may try again. */
const retryAfterSeconds = 5
