import { CircuitOpen } from "@secure-mcp/oauth-core"
import type { GrantRequest, OAuthErrorReason } from "@secure-mcp/oauth-core"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import * as Predicate from "effect/Predicate"
import * as Schedule from "effect/Schedule"
import type { Endpoint } from "./Endpoint.ts"
import { retryAfter, retryOnFailure } from "./Retry.ts"

/** Half of the latest acquisitions, and at least five, have failed: a few failures among many successes are no outage. */
const tripPolicy = CircuitBreaker.rate({ threshold: 0.5, minimumCalls: 5, size: 20 })
/** 1 s, doubling to 30 s while the endpoint is still down: a short outage costs about its own length. */
const openDuration = Schedule.exponential("1 second").pipe(
  Schedule.modifyDelay(({ duration }) => Effect.succeed(Duration.min(duration, Duration.seconds(30))))
)
/** Of an opening that `Retry-After` lengthens. */
const maxOpenDuration = Duration.minutes(5)
/** How often a caller looks whether the trial of another one has ended. */
const trialInterval = Duration.millis(100)

/** Owners whose latest acquisition failed. The oldest is evicted first: its next failure counts once more. */
const capacity = 10_000

/**
 * A circuit breaker for each owner of a token at an endpoint, and one for all of them: while it is open, the endpoint
 * gets no requests. An owner counts once in the circuit of all until it succeeds, so that what fails for one of them
 * does not stop the others. Callers wait for the next trial if it ends in time, else they fail at once.
 */
export class Circuit extends Context.Service<
  Circuit,
  {
    /**
     * Counts the outcome of an acquisition with all its attempts. Only transient failures count: a refusal shows that
     * the endpoint works.
     */
    readonly protect: <A, R>(
      acquisition: Effect.Effect<A, OAuthErrorReason, R>,
      endpoint: Endpoint,
      request: GrantRequest
    ) => Effect.Effect<A, OAuthErrorReason, R>
  }
>()("@secure-mcp/oauth-flows/Circuit") {
  /** @param longestWait how long a caller waits for a trial to begin and to end */
  static readonly layer = (longestWait: Duration.Input): Layer.Layer<Circuit> =>
    Layer.effect(
      Circuit,
      Effect.suspend(() => make(Duration.fromInputUnsafe(longestWait)))
    ).pipe(Layer.provide(CircuitBreaker.layerStoreMemory()))
}

const make = Effect.fnUntraced(function* (longestWait: Duration.Duration) {
  const breaker = yield* CircuitBreaker.make({ tripPolicy, openDuration, maxOpenDuration })
  const waiting = untilTrial(longestWait)
  const failed = new Set<string>()

  /** A failure of an owner that has failed already says nothing new of the endpoint, unless it was the trial. */
  const classifyForAll = (all: string, own: string) =>
    Effect.fnUntraced(function* (exit: Exit.Exit<unknown, OAuthErrorReason>) {
      const outcome = classify(exit)
      if (outcome._tag === "Success") failed.delete(own)
      if (outcome._tag !== "Failure") return outcome
      const state = yield* Effect.orElseSucceed(breaker.state(all), () => undefined)
      const isTrial = state?._tag === "HalfOpen"
      if (failed.has(own) && !isTrial) return CircuitBreaker.ignored
      failed.add(own)
      const [oldest] = failed
      if (failed.size > capacity && oldest !== undefined) failed.delete(oldest)
      return outcome
    })

  return Circuit.of({
    protect: (acquisition, endpoint, request) => {
      const { all, own } = keysOf(endpoint, request)
      const forAll = breaker.execute(acquisition, { key: all, classify: classifyForAll(all, own) })
      return breaker.execute(forAll, { key: own, classify }).pipe(
        (acquired) => retryOnFailure(acquired, waiting),
        Effect.catchTag("CircuitBreakerError", ({ reason }) =>
          Effect.fail(
            new CircuitOpen({
              endpoint: endpoint.name,
              retryAfterSeconds: Duration.toSeconds(untilNextTry(reason))
            })
          )
        )
      )
    }
  })
})

type Rejected = OAuthErrorReason | CircuitBreaker.CircuitBreakerError

const isRejection = (error: Rejected): error is CircuitBreaker.CircuitBreakerError =>
  error._tag === "CircuitBreakerError"

/** Waits for the next trial, and for its outcome, unless that takes longer than a caller should wait. */
const untilTrial = (longestWait: Duration.Duration) =>
  Schedule.forever.pipe(
    Schedule.setInputType<Rejected>(),
    Schedule.while(
      ({ elapsed, input }) =>
        isRejection(input) && elapsed + Duration.toMillis(waitOf(input)) <= Duration.toMillis(longestWait)
    ),
    Schedule.modifyDelay(({ input }) => Effect.succeed(waitOf(input)))
  )

const waitOf = (error: Rejected): Duration.Duration =>
  isRejection(error) && Predicate.isTagged(error.reason, "CircuitOpen")
    ? error.reason.retryAfter
    : trialInterval

/** Certificates are part of both: an entry whose certificates fail must not open the circuit for other entries. */
const keysOf = (
  { url }: Endpoint,
  { config, configId, projectId, serverName, subject }: GrantRequest
): { readonly all: string; readonly own: string } => {
  const { caBundlePath, clientCertPath, clientId, clientPkcs12Path } = config
  const all = [url, clientCertPath, clientPkcs12Path, caBundlePath]
  const owner = [projectId, configId, serverName, subject, clientId]
  return { all: JSON.stringify(all), own: JSON.stringify([...all, owner]) }
}

/** That the circuit of all is open says nothing of an owner. */
const classify = (exit: Exit.Exit<unknown, Rejected>): CircuitBreaker.Outcome => {
  if (Exit.isSuccess(exit)) return CircuitBreaker.success
  const reason = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  return reason === undefined || isRejection(reason) || !reason.retryable
    ? CircuitBreaker.ignored
    : CircuitBreaker.failure({ retryAfter: retryAfter(reason) })
}

const untilNextTry = (reason: CircuitBreaker.CircuitBreakerErrorReason): Duration.Duration =>
  // Half open: the outcome of another caller's trial decides, and it is not known when that ends.
  Predicate.isTagged(reason, "CircuitOpen") ? reason.retryAfter : Duration.seconds(1)
