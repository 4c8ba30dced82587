import { CircuitOpen } from "@secure-mcp/oauth-core"
import type { OAuthConfig, OAuthErrorReason } from "@secure-mcp/oauth-core"
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
import { retryAfter } from "./Retry.ts"

/** Consecutive failed acquisitions that open the circuit. */
const failures = 5
/** Of an opening by the schedule, and of one that `Retry-After` lengthens. */
const maxOpenDuration = Duration.minutes(5)
/** 30 s, doubling each time the endpoint is still down. */
const openDuration = Schedule.min([Schedule.exponential("30 seconds"), Schedule.spaced(maxOpenDuration)])

/** A circuit breaker for each endpoint: while it is open, calls fail at once and the endpoint gets no requests. */
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
      config: OAuthConfig
    ) => Effect.Effect<A, OAuthErrorReason, R>
  }
>()("@secure-mcp/oauth-flows/Circuit") {
  static readonly layer: Layer.Layer<Circuit> = Layer.effect(
    Circuit,
    Effect.suspend(() => make)
  ).pipe(Layer.provide(CircuitBreaker.layerStoreMemory()))
}

const make = Effect.gen(function* () {
  const breaker = yield* CircuitBreaker.make({
    tripPolicy: CircuitBreaker.consecutive(failures),
    openDuration,
    maxOpenDuration
  })
  return Circuit.of({
    protect: (acquisition, endpoint, config) =>
      breaker
        .execute(acquisition, { key: keyOf(endpoint, config), classify })
        .pipe(
          Effect.catchTag("CircuitBreakerError", ({ reason }) =>
            Effect.fail(
              new CircuitOpen({ endpoint: endpoint.name, retryAfterSeconds: secondsUntilNextTry(reason) })
            )
          )
        )
  })
})

/** Certificates are part of the key: an entry whose certificates fail must not open the circuit for other entries. */
const keyOf = ({ url }: Endpoint, { caBundlePath, clientCertPath, clientPkcs12Path }: OAuthConfig): string =>
  JSON.stringify([url, clientCertPath ?? null, clientPkcs12Path ?? null, caBundlePath ?? null])

const classify = (exit: Exit.Exit<unknown, OAuthErrorReason>): CircuitBreaker.Outcome => {
  if (Exit.isSuccess(exit)) return CircuitBreaker.success
  const reason = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  return reason?.retryable === true
    ? CircuitBreaker.failure({ retryAfter: retryAfter(reason) })
    : CircuitBreaker.ignored
}

const secondsUntilNextTry = (reason: CircuitBreaker.CircuitBreakerErrorReason): number =>
  // Half open: the outcome of another caller's trial decides, and it is not known when that ends.
  Predicate.isTagged(reason, "CircuitOpen") ? Duration.toSeconds(reason.retryAfter) : 1
