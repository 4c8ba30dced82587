import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { ServerResponse } from "node:http"
import { closeUnread, type HttpExchange, keepAliveInterval } from "./HttpExchange.ts"

/** A response, and what its exchange needs. */
export interface DirectResponse {
  readonly response: ServerResponse
  /** The headers of the gateway's own: names and values in turn. */
  readonly ownHeaders: ReadonlyArray<string>
  /** Runs what is left to do when the response is not answered in time. */
  readonly run: (effect: Effect.Effect<unknown>) => void
}

/**
 * Begins an exchange that needs no fiber as long as nothing is sent but its answer, within 15 seconds.
 *
 * @param headers of the response, besides the gateway's own
 * @param begin makes the exchange that goes on with the response where a fiber is needed
 * @param onClose called when the response has been sent, or the client has gone
 */
export const makeDirectExchange = (
  { ownHeaders, response, run }: DirectResponse,
  headers: ReadonlyArray<string>,
  begin: Effect.Effect<HttpExchange, never, Scope.Scope>,
  onClose: () => void
): HttpExchange => {
  let begun: Deferred.Deferred<HttpExchange> | undefined
  let isAnswered = false

  const exchange = Effect.suspend(() => {
    if (begun !== undefined) return Deferred.await(begun)
    begun = Deferred.makeUnsafe<HttpExchange>()
    return Effect.andThen(Deferred.into(beginning, begun), Deferred.await(begun))
  })
  const beginning = Effect.gen(function* () {
    for (let index = 0; index < ownHeaders.length; index += 2)
      response.setHeader(ownHeaders[index] ?? "", ownHeaders[index + 1] ?? "")
    const own = yield* Scope.make()
    const full = yield* Scope.provide(begin, own)
    run(Effect.andThen(full.closed, Scope.close(own, Exit.void)))
    return full
  })
  const use = (f: (exchange: HttpExchange) => Effect.Effect<void>) => Effect.flatMap(exchange, f)

  // Of the system's clock, because on the other each request would have a fiber that waits.
  const timer = setTimeout(
    () => run(isAnswered ? closeUnread(response) : use(({ keepOpen }) => keepOpen)),
    Duration.toMillis(keepAliveInterval)
  )
  response.once("close", () => {
    clearTimeout(timer)
    onClose()
  })
  const isOpen = () => !response.writableEnded && !response.destroyed

  return {
    answerNow: (text) => {
      if (begun !== undefined || !isOpen()) return false
      isAnswered = true
      const length = String(Buffer.byteLength(text))
      response
        .writeHead(200, [
          ...ownHeaders,
          ...headers,
          "content-type",
          "application/json",
          "content-length",
          length
        ])
        .end(text)
      return true
    },
    isOpen,
    notify: (...texts) => use(({ notify }) => notify(...texts)),
    answer: (text, status, more) => use(({ answer }) => answer(text, status, more)),
    cancelAnswer: use(({ cancelAnswer }) => cancelAnswer),
    keepOpen: use(({ keepOpen }) => keepOpen),
    end: use(({ end }) => end),
    drop: use(({ drop }) => drop),
    closed: use(({ closed }) => closed)
  }
}
