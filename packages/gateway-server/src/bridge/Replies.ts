import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"

/** How many replies may wait for a server that does not read. */
const maxReplies = 64

/**
 * Makes a function that sends what the bridge itself replies to a message of the server, and never waits: a server that
 * reads nothing until it has written everything would wait for us for ever. Replies beyond a bound are dropped.
 */
export const makeReplies = Effect.fnUntraced(function* (
  send: (text: string) => Effect.Effect<void>
): Effect.fn.Return<(text: string) => Effect.Effect<void>, never, Scope.Scope> {
  const replies = yield* Queue.dropping<string>(maxReplies)
  yield* Effect.forkScoped(Effect.forever(Effect.flatMap(Queue.take(replies), send)))
  return (text) => Effect.asVoid(Queue.offer(replies, text))
})
