import type { OAuthErrorReason } from "@secure-mcp/oauth-core"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import * as Predicate from "effect/Predicate"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"

/** After the first attempt. */
const retries = 2
const longestRetryAfter = Duration.seconds(30)

/**
 * Retries twice after a connection failure, a timeout, a 429 or a 5xx: after 2 s and after 4 s more, each with up to a
 * quarter of random jitter so that many clients do not retry at once. The server's `Retry-After` is the minimum wait;
 * if it is over 30 s, the failure is final and says when to try again.
 */
export const retryPolicy: Schedule.Schedule<Duration.Duration, OAuthErrorReason> = Schedule.exponential(
  "2 seconds"
).pipe(
  Schedule.setInputType<OAuthErrorReason>(),
  Schedule.upTo({ times: retries }),
  Schedule.while(({ input }) => mayWait(input)),
  Schedule.modifyDelay(({ duration, input }) =>
    Effect.map(Random.next, (chance) =>
      Duration.max(Duration.times(duration, 1 + chance / 4), retryAfter(input) ?? Duration.zero)
    )
  ),
  Schedule.tap(({ duration, input }) =>
    Effect.logWarning(`${input.message}. Next attempt in ${Duration.toSeconds(duration).toFixed(1)} s`)
  )
)

/** Repeats what failed for a transient reason. Only for requests that may be sent twice. */
export const retryTransient = <A, R>(
  self: Effect.Effect<A, OAuthErrorReason, R>
): Effect.Effect<A, OAuthErrorReason, R> => retryOnFailure(self, retryPolicy)

/**
 * `Effect.retry`, of which nothing is done before there is a failure: to begin a schedule costs more than most of what is done for a
 * request, and most requests succeed at once.
 */
export const retryOnFailure = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  schedule: Schedule.Schedule<unknown, E>
): Effect.Effect<A, E, R> =>
  Effect.catch(self, (failure) =>
    Effect.flatMap(Schedule.toStepWithSleep(schedule), (step) => {
      const again = (reason: E): Effect.Effect<A, E, R> =>
        step(reason).pipe(
          Effect.as(true),
          Pull.catchDone(() => Effect.succeed(false)),
          Effect.flatMap((mayRetry) => (mayRetry ? Effect.catch(self, again) : Effect.fail(reason)))
        )
      return again(failure)
    })
  )

/** Repeats only what failed before there was a connection, so that nothing was sent. For codes, which can be used once. */
export const retryUnsent = <A, R>(
  self: Effect.Effect<A, OAuthErrorReason, R>
): Effect.Effect<A, OAuthErrorReason, R> =>
  Effect.retry(self, { schedule: retryPolicy, while: (reason) => isUnsent(reason) })

/**
 * Repeats only what left the refresh token unused: what was not sent, and what the server turned away with 429 or 503
 * (RFC 6585 §4, RFC 9110 §15.6.4).
 */
export const retryUnused = <A, R>(
  self: Effect.Effect<A, OAuthErrorReason, R>
): Effect.Effect<A, OAuthErrorReason, R> =>
  Effect.retry(self, { schedule: retryPolicy, while: (reason) => isUnsent(reason) || isTurnedAway(reason) })

const isTurnedAway = (reason: OAuthErrorReason): boolean =>
  reason._tag === "EndpointUnavailable" && (reason.status === 429 || reason.status === 503)

/** Error codes of a connection that was never there. One that broke has others. */
const withoutConnection =
  /^(?:PROXY_FAILED|ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|ENOTFOUND|EAI_[A-Z]+|E(?:SERVFAIL|TIMEOUT|REFUSED|NODATA))$/

const isUnsent = (reason: OAuthErrorReason): boolean =>
  reason._tag === "ConnectionFailed" && reason.code !== undefined && withoutConnection.test(reason.code)

const mayWait = (reason: OAuthErrorReason): boolean =>
  reason.retryable && !Duration.isGreaterThan(retryAfter(reason) ?? Duration.zero, longestRetryAfter)

/** The wait that the server asked for (RFC 9110 §10.2.3), if it did. */
export const retryAfter = (reason: OAuthErrorReason): Duration.Duration | undefined =>
  Predicate.isTagged(reason, "EndpointUnavailable") && reason.retryAfterSeconds !== undefined
    ? Duration.seconds(reason.retryAfterSeconds)
    : undefined
