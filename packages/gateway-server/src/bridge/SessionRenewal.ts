import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { afterRequest, type ClientSetup, emptySetup, requestsToRepeat } from "../jsonrpc/ClientSetup.ts"
import {
  makeCancellation,
  makeNotification,
  objectAt,
  type IdText,
  type JsonObject,
  type JsonRpcMessage
} from "../jsonrpc/JsonRpc.ts"
import { ConnectionFailed } from "../jsonrpc/MessageConnection.ts"
import type { SessionConnection } from "./SessionConnection.ts"
import { beginRenewal, endRenewal, type SessionState } from "./SessionState.ts"
import { didNotStart, type Unavailable } from "./Unavailable.ts"

/** What a client told its server that a new connection of the session has to be told again. */
export interface SessionHistory extends ClientSetup {
  readonly initialize: JsonRpcMessage | undefined
  /** `notifications/initialized` */
  readonly initialized: JsonRpcMessage | undefined
}

export const emptyHistory: SessionHistory = { ...emptySetup, initialize: undefined, initialized: undefined }

const maxSubscriptions = 256

/** How many characters of a message are remembered, but for `initialize`, of which there is only one. */
const maxLength = 8 * 1024

/** Remembers a message of the client if it has to be told again. */
export const remember =
  (message: JsonRpcMessage) =>
  (history: SessionHistory): SessionHistory => {
    const method = message.json["method"]
    if (method === "initialize") return { ...history, initialize: message }
    if (message.text.length > maxLength) return history
    return method === "notifications/initialized"
      ? { ...history, initialized: message }
      : afterRequest(history, message, maxSubscriptions)
  }

/** Starts the server of a session anew when its token has expired, because a running process cannot be given another. */
export interface SessionRenewal<E> {
  /** Opens a new connection if the token of the one before has expired. If that fails, the session has ended. */
  readonly renewIfExpired: Effect.Effect<void, E | ConnectionFailed>
  /** Whether the token of the connection has expired, so that the connection is to be replaced. */
  readonly isDue: (now: number) => boolean
  /** Waits while the connection is being replaced. */
  readonly whenReady: Effect.Effect<void>
}

/** How long requests that are under way may hold up a renewal. */
const patience = "30 seconds"
/** After which time in milliseconds a renewal is tried again that was held up. */
const postponement = 60_000
/** How many milliseconds at least lie between two renewals, should a token be given that expires at once. */
const leastInterval = 1000

/**
 * Makes the renewal of a session. The token has to have expired: a valid one is served again by the cache, so that
 * starting anew a little earlier would change nothing.
 */
export const makeSessionRenewal = Effect.fnUntraced(function* <E>(options: {
  readonly serverName: string
  readonly startTimeout: Duration.Duration
  readonly state: Ref.Ref<SessionState>
  readonly history: Ref.Ref<SessionHistory>
  readonly connection: SessionConnection<E>
  /** Waits until no request is under way. */
  readonly whenIdle: Effect.Effect<void>
  /** Sends a message to the client as if the server had sent it. */
  readonly tellClient: (message: JsonRpcMessage) => Effect.Effect<void>
  readonly endSession: (why: Unavailable) => Effect.Effect<void>
}): Effect.fn.Return<SessionRenewal<E>, never, Scope.Scope> {
  const { connection, serverName, state, tellClient } = options
  const scope = yield* Effect.scope
  const ready = yield* Latch.make(true)
  const one = yield* Semaphore.make(1)
  let postponedUntil = -Infinity

  const isDue = (now: number) => now >= Math.max(connection.expiresAt() ?? Infinity, postponedUntil)
  const isDueNow = Effect.map(Clock.currentTimeMillis, isDue)
  const failed = (problem: string) =>
    new ConnectionFailed({
      serverName,
      problem: `The token of MCP server "${serverName}" has expired, and the server could not be started with a new one: ${problem}`
    })

  const initialize = Effect.fnUntraced(function* (request: JsonRpcMessage) {
    const answer = yield* connection
      .ask(request)
      .pipe(Effect.mapError(failed), Effect.timeoutOption(options.startTimeout))
    if (Option.isNone(answer)) return yield* failed(`it ${didNotStart(options.startTimeout).how}`)
    const { json } = answer.value
    if (!("result" in json)) return yield* failed("it did not accept the `initialize` of the session again")
    return objectAt(json, "result")
  })

  const renew = Effect.fnUntraced(function* (asked: ReadonlySet<IdText>) {
    yield* Effect.forEach(asked, (id) => tellClient(makeCancellation(id, "The MCP server is started anew")), {
      discard: true
    })
    yield* Effect.mapError(connection.open, (error) =>
      error instanceof ConnectionFailed ? failed(error.problem) : error
    )
    const history = yield* Ref.get(options.history)
    if (history.initialize === undefined) return
    const result = yield* initialize(history.initialize)
    if (history.initialized !== undefined) yield* connection.send(history.initialized.text)
    yield* Effect.forEach(
      requestsToRepeat(history),
      (request) => Effect.forkIn(Effect.ignore(connection.ask(request)), scope, { startImmediately: true }),
      { discard: true }
    )
    yield* Effect.forEach(changedLists(result), tellClient, { discard: true })
    yield* Effect.logInfo("Started the MCP server anew with a new token")
  })

  const renewOnce = Effect.gen(function* () {
    if (!(yield* isDueNow)) return
    yield* Effect.timeoutOption(options.whenIdle, patience)
    const asked = yield* Ref.modify(state, beginRenewal)
    if (asked === undefined) {
      if ((yield* Ref.get(state)).phase === "Ended") return
      postponedUntil = (yield* Clock.currentTimeMillis) + postponement
      return yield* Effect.logWarning(
        "The token of the MCP server has expired. It is not started anew yet, because requests are under way"
      )
    }
    postponedUntil = (yield* Clock.currentTimeMillis) + leastInterval
    yield* Latch.close(ready)
    yield* renew(asked).pipe(
      Effect.tapError(() =>
        options.endSession({ how: "could not be started with a new token", status: 502 })
      ),
      Effect.ensuring(Effect.andThen(Ref.update(state, endRenewal), Latch.open(ready)))
    )
  })

  return {
    isDue,
    renewIfExpired: Effect.flatMap(isDueNow, (due) =>
      due
        ? // It goes on if the client of this request does not wait.
          Effect.flatMap(Effect.forkIn(one.withPermit(renewOnce), scope), Fiber.join)
        : Effect.void
    ),
    whenReady: Latch.await(ready)
  }
})

/** Notifications that all may have changed which a server can give notice of. */
const changedLists = (result: JsonObject): ReadonlyArray<JsonRpcMessage> =>
  ["tools", "prompts", "resources"].flatMap((list) =>
    objectAt(objectAt(result, "capabilities"), list)["listChanged"] === true
      ? [makeNotification(`notifications/${list}/list_changed`)]
      : []
  )
