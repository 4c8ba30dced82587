import type { ServerResponse } from "node:http"
import type { Limits } from "@secure-mcp/transport-injection"
import * as Effect from "effect/Effect"
import { personOf } from "../callers/Person.ts"
import { type Exchange, UpstreamFailure } from "../upstream/Upstream.ts"

/**
 * What all clients of one MCP server may take of the gateway together, so that a server that is slow, or does not answer,
 * takes nothing from the others; and what one person may take of that, so that nobody takes it from all. Whoever comes too much is refused at once: a queue would only hide the slowness.
 */
export interface RequestLimits {
  /** Runs what answers a request, if there is room for it. */
  readonly admit: <E, R>(
    exchange: Pick<Exchange, "request" | "response" | "caller">,
    answer: Effect.Effect<void, E, R>
  ) => Effect.Effect<void, E | UpstreamFailure, R>
  /** Takes the room of a request until `leave`; undefined if there is none. */
  readonly enter: (exchange: Pick<Exchange, "request" | "response" | "caller">) => AdmittedRequest | undefined
  /** Gives back the room of a request. */
  readonly leave: (admitted: AdmittedRequest) => void
  /** Runs what waits until a person has logged in, if there is room for one more. */
  readonly admitToLogin: <E, R>(
    wait: Effect.Effect<void, E, R>
  ) => Effect.Effect<void, E | UpstreamFailure, R>
}

/** A request that has its room. */
export interface AdmittedRequest {
  readonly response: ServerResponse
  /** Undefined if the gateway does not know its callers. */
  readonly person: string | undefined
  /** Whether it counts as a stream, which may take as long as it likes. */
  isStream: boolean
  /** Its place among those admitted. */
  index: number
}

/** The limits of one server. */
export const makeRequestLimits = (
  serverName: string,
  { concurrentRequests, requestsPerPerson, sockets, waitingLogins }: Limits
): RequestLimits => {
  // No `Set`: what was in it would stay in memory, see `ClientConnection`.
  const admitted: Array<AdmittedRequest> = []
  // Only of persons who have requests under way.
  const ofPersons = new Map<string, number>()
  let unanswered = 0
  let loginsAwaited = 0

  const refusal = (key: string, limit: number, what: string) =>
    new UpstreamFailure({
      serverName,
      reason: "TooManyRequests",
      problem: `${limit} ${what}, and more are not allowed (\`limits.${key}\`). Try again later`,
      retryAfterSeconds
    })

  /** A request counts as a stream as soon as its answer has begun. */
  const moveAnswered = () => {
    for (const request of admitted)
      if (!request.isStream && request.response.headersSent) {
        request.isStream = true
        unanswered -= 1
      }
  }

  const take = ({
    caller,
    request,
    response
  }: Pick<Exchange, "request" | "response" | "caller">): AdmittedRequest | UpstreamFailure => {
    const person = personOf(caller)
    const own = person === undefined ? 0 : (ofPersons.get(person) ?? 0)
    if (own >= requestsPerPerson)
      return refusal("requests_per_person", requestsPerPerson, "requests and streams of yours are under way")
    if (admitted.length >= sockets)
      return refusal("sockets", sockets, "of its requests and streams are under way")
    // A GET asks for a stream, and some servers do not begin it before there is an event.
    const isStream = request.method === "GET"
    if (!isStream && unanswered >= concurrentRequests) {
      moveAnswered()
      if (unanswered >= concurrentRequests)
        return refusal("concurrent_requests", concurrentRequests, "of its requests wait for an answer")
    }
    if (!isStream) unanswered += 1
    if (person !== undefined) ofPersons.set(person, own + 1)
    const taken = { response, person, isStream, index: admitted.length }
    admitted.push(taken)
    return taken
  }

  const leave = ({ index, isStream, person }: AdmittedRequest) => {
    if (!isStream) unanswered -= 1
    if (person !== undefined) {
      const own = ofPersons.get(person) ?? 0
      if (own > 1) ofPersons.set(person, own - 1)
      else ofPersons.delete(person)
    }
    const last = admitted.pop()
    if (last === undefined || last.index === index) return
    last.index = index
    admitted[index] = last
  }

  return {
    enter: (exchange) => {
      const taken = take(exchange)
      return taken instanceof UpstreamFailure ? undefined : taken
    },
    leave,

    admit: (exchange, answer) =>
      Effect.acquireUseRelease(
        Effect.suspend(() => {
          const taken = take(exchange)
          return taken instanceof UpstreamFailure ? Effect.fail(taken) : Effect.succeed(taken)
        }),
        () => answer,
        (taken) => Effect.sync(() => leave(taken))
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
