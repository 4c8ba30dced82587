import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import type { UpstreamFailed } from "../../fetch/Fetch.ts"
import { failureOf, readStream, type StreamSource } from "./EventStream.ts"
import { pauseAfterEnd, pauseAfterFailure } from "./Pauses.ts"
import { streamStart } from "./StreamPosition.ts"

/** One session with the server, as the listener sees it. */
export interface ListenedSession {
  readonly source: StreamSource
  /** Completes when another session has taken its place. */
  readonly replaced: Effect.Effect<void>
  /** Begins another session if the server says with this refusal that it has forgotten this one. */
  readonly recover: (refusal: UpstreamFailed) => Effect.Effect<void>
}

/** What is known about the server's streams, over all sessions. */
interface Experience {
  /** Whether it has ever opened one. */
  readonly hasOpened: boolean
  /** Whether the log says that it opens none at present. */
  readonly isReported: boolean
  /** Whether it was found out, since the last stream, if the server has forgotten the session. */
  readonly isRecovered: boolean
  /** Tries in a row that were refused or broke at once. */
  readonly failures: number
  /** Streams in a row that ended at once and brought nothing. */
  readonly empty: number
}

/** A stream that lived as long, in milliseconds, has served its purpose even if it brought nothing. */
const longLived = 10_000

/**
 * Keeps the stream of the server's own messages open (MCP 2025-11-25, "Listening for Messages from the Server"): for as
 * long as the session lives, and anew in each session. Ends if the server says at first that it has no such stream.
 */
export const listenForMessages = (current: Effect.Effect<ListenedSession>): Effect.Effect<void> =>
  Effect.gen(function* () {
    const experience = yield* Ref.make<Experience>({
      hasOpened: false,
      isReported: false,
      isRecovered: false,
      failures: 0,
      empty: 0
    })
    yield* Effect.repeat(
      Effect.flatMap(current, (session) =>
        Effect.raceFirst(
          listenInSession(session, experience),
          Effect.as(session.replaced, "Replaced" as const)
        )
      ),
      { until: (outcome) => outcome === "NotOffered" }
    )
  })

const listenInSession = Effect.fnUntraced(function* (
  { recover, replaced, source }: ListenedSession,
  experience: Ref.Ref<Experience>
) {
  const position = yield* Ref.make(streamStart)
  const opened = Ref.update(experience, (known) => ({
    ...known,
    hasOpened: true,
    isReported: false,
    isRecovered: false
  }))

  const step = Effect.gen(function* () {
    const { events } = yield* Ref.get(position)
    const beganAt = yield* Clock.currentTimeMillis
    const failure = yield* failureOf(readStream(source, position, opened))
    const { hasOpened, ...before } = yield* Ref.get(experience)
    if (!hasOpened && (failure?.status === 405 || failure?.status === 501)) return true
    // A lost session would have shown in the answers to the messages before. Another session may be another server.
    if (!hasOpened && failure?.status === 404) yield* replaced

    const now = yield* Clock.currentTimeMillis
    const after = yield* Ref.get(position)
    const isEmpty = after.events === events && now - beganAt < longLived
    const failures = failure === undefined ? 0 : isEmpty ? before.failures + 1 : 1
    const empty = isEmpty ? before.empty + 1 : 0
    const isRefused = failure !== undefined && failure.kind !== "Broken"
    // A server that resumes the stream would send a message that is too long again.
    if (failure?.kind === "Unusable") yield* Ref.set(position, streamStart)
    yield* Ref.set(experience, {
      hasOpened,
      isReported: before.isReported || isRefused,
      isRecovered: before.isRecovered || failure?.status !== undefined,
      failures,
      empty
    })
    if (isRefused && !before.isReported)
      yield* Effect.logWarning("The stream of the MCP server's own messages is not open:", failure.message)
    // At once the first time; a server that refuses the stream of each session must not get session after session.
    if (failure?.status !== undefined && !before.isRecovered) yield* recover(failure)
    yield* Effect.sleep(
      failure === undefined
        ? pauseAfterEnd(after.retry, Math.max(0, empty - 1))
        : pauseAfterFailure(after.retry, failures - 1, failure, now)
    )
    if (failure?.status !== undefined && before.isRecovered) yield* recover(failure)
    return false
  })

  yield* Effect.repeat(step, { until: (isNotOffered) => isNotOffered })
  return "NotOffered" as const
})
