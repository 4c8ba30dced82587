import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { isResponse, type JsonRpcMessage } from "../jsonrpc/JsonRpc.ts"
import type { Connect, MessageConnection } from "../jsonrpc/MessageConnection.ts"

/** A server is not started for a while, because it ended at each of its last starts before it gave a result. */
export class TooManyCrashes extends Schema.TaggedError<TooManyCrashes>()("TooManyCrashes", {
  serverName: Schema.String,
  crashes: Schema.Int,
  /** How it ended the last time. */
  how: Schema.String,
  /** After how many seconds it may be started again. */
  retryAfterSeconds: Schema.Int
}) {
  override get message(): string {
    const { crashes, how, retryAfterSeconds: seconds, serverName } = this
    return `The MCP server "${serverName}" has ended ${crashes} times in a row before it gave a result, and may be started again in ${seconds} ${seconds === 1 ? "second" : "seconds"}. The last time it ${how}`
  }
}

/** How often a server may end in a row before it has to wait. */
const freeCrashes = 3
const firstDelay = Duration.seconds(1)
const longestDelay = Duration.minutes(1)

interface Crashes {
  readonly count: number
  readonly how: string
  /** Before which no start is allowed, in milliseconds since the epoch. */
  readonly until: number
}

/**
 * Keeps a server that crashes at its start from being started over and over: from the third crash in a row on, starts are
 * refused for a second, then for twice as long each time, up to a minute. The first result ends that.
 *
 * @returns a function that guards the connections of an owner
 */
export const makeCrashBackoff = (serverName: string) => {
  const byOwner = new Map<string | undefined, Crashes>()

  const noteCrash = (owner: string | undefined, how: string) =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      const count = (byOwner.get(owner)?.count ?? 0) + 1
      byOwner.set(owner, { count, how, until: now + delayAfter(count) })
    })

  const refuseEarly = (owner: string | undefined) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const crashes = byOwner.get(owner)
      return crashes === undefined || crashes.until <= now
        ? Effect.void
        : Effect.fail(
            new TooManyCrashes({
              serverName,
              crashes: crashes.count,
              how: crashes.how,
              retryAfterSeconds: Math.ceil((crashes.until - now) / 1000)
            })
          )
    })

  return <E>(owner: string | undefined, connect: Connect<E>): Connect<E | TooManyCrashes> =>
    Effect.fnUntraced(function* (onMessage) {
      yield* refuseEarly(owner)
      let gaveResult = false
      let isStopped = false
      const observe = (message: JsonRpcMessage) =>
        Effect.suspend(() => {
          if (!gaveResult && isResponse(message.json) && "result" in message.json) {
            gaveResult = true
            byOwner.delete(owner)
          }
          return onMessage(message)
        })
      const now = (message: JsonRpcMessage) => gaveResult && onMessage.now?.(message) === true
      const connection = yield* connect(Object.assign(observe, { now }))
      yield* Effect.forkScoped(
        Effect.flatMap(connection.ended, (how) =>
          gaveResult || isStopped ? Effect.void : noteCrash(owner, how)
        )
      )
      return {
        ...connection,
        stop: Effect.suspend(() => {
          isStopped = true
          return connection.stop
        })
      } satisfies MessageConnection
    })
}

/** In milliseconds. */
const delayAfter = (crashes: number): number =>
  crashes < freeCrashes
    ? 0
    : Math.min(Duration.toMillis(firstDelay) * 2 ** (crashes - freeCrashes), Duration.toMillis(longestDelay))
