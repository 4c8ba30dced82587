import type { OAuthErrorReason } from "@secure-mcp/oauth-core"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"

/** Three attempts in all. */
const retries = 2
const longestBackoff = Duration.seconds(8)
const longestRetryAfter = Duration.seconds(30)

/**
 * When to try again after a connection failure, a timeout, a 429 or a 5xx: after 2 s, doubling to at most 8 s, with
 * up to a quarter added by chance so that many clients do not come back at once. The server's `Retry-After` is the
 * least wait; if it is over 30 s, the caller is told instead.
 */
export const retryPolicy: Schedule.Schedule<Duration.Duration, OAuthErrorReason> = Schedule.exponential(
  "2 seconds"
).pipe(
  Schedule.setInputType<OAuthErrorReason>(),
  Schedule.upTo({ times: retries }),
  Schedule.while(({ input }) => mayWait(input)),
  Schedule.modifyDelay(({ duration, input }) =>
    Effect.map(Random.next, (chance) =>
      Duration.max(
        Duration.times(Duration.min(duration, longestBackoff), 1 + chance / 4),
        retryAfter(input) ?? Duration.zero
      )
    )
  ),
  Schedule.tap(({ duration, input }) =>
    Effect.logWarning(`${input.message}. Next attempt in ${Duration.toSeconds(duration).toFixed(1)} s`)
  )
)

/** Repeats what failed for a passing reason. Only for requests that may be sent twice. */
export const retryTransient = <A, R>(
  self: Effect.Effect<A, OAuthErrorReason, R>
): Effect.Effect<A, OAuthErrorReason, R> => Effect.retry(self, { schedule: retryPolicy })

/**
 * Repeats what failed before there was a connection, and so cannot have been read by anybody. For codes and refresh
 * tokens, which are good for one use.
 */
export const retryUnsent = <A, R>(
  self: Effect.Effect<A, OAuthErrorReason, R>
): Effect.Effect<A, OAuthErrorReason, R> =>
  Effect.retry(self, { schedule: retryPolicy, while: (reason) => isUnsent(reason) })

/** What the system says when it could not connect; a connection that broke says something else. */
const withoutConnection: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT"
])

const isUnsent = (reason: OAuthErrorReason): boolean =>
  reason._tag === "ConnectionFailed" && reason.code !== undefined && withoutConnection.has(reason.code)

const mayWait = (reason: OAuthErrorReason): boolean =>
  reason.retryable && !Duration.isGreaterThan(retryAfter(reason) ?? Duration.zero, longestRetryAfter)

/** What the server asked for, if it did. */
export const retryAfter = (reason: OAuthErrorReason): Duration.Duration | undefined =>
  Predicate.isTagged(reason, "EndpointUnavailable") && reason.retryAfterSeconds !== undefined
    ? Duration.seconds(reason.retryAfterSeconds)
    : undefined
