import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { StoreUnavailable, type TokenKey } from "@secure-mcp/oauth-core"
import type { TokenLease } from "./TokenLease.ts"
import type { TokenStore } from "./TokenStore.ts"

/** When a process dies while it renews a token, others go on after this time. */
const leaseTime = Duration.seconds(10)
const renewalInterval = Duration.seconds(3)

/** Who has the lease may ask its server three times and wait in between, which takes some 45 seconds. */
const longestWait = Duration.minutes(2)

/** After 25 ms, half as long again each time, at most half a second. */
const askAgain = Schedule.min([Schedule.exponential("25 millis", 1.5), Schedule.spaced("500 millis")]).pipe(
  Schedule.jittered,
  Schedule.upTo({ duration: longestWait, times: 1000 })
)

/**
 * Holds the lease of a key for as long as the scope is open, and renews it all the while. Waits for whoever has it,
 * which can be interrupted. Fails when the store cannot be asked, or when somebody has it for ever.
 *
 * @param settled looked at while somebody else has it: what they did may make the lease unnecessary. It is then the
 *   failure of the result
 */
export const holdLease = <A>(
  store: TokenStore["Service"],
  key: TokenKey,
  settled: Effect.Effect<A | undefined>
): Effect.Effect<Result.Result<TokenLease, A>, StoreUnavailable, Scope.Scope> =>
  takeLease(store, key).pipe(
    Effect.map((lease) => Result.succeed(lease)),
    Effect.catchTag("LeaseTaken", (taken) =>
      Effect.flatMap(settled, (end) =>
        end === undefined ? Effect.fail(taken) : Effect.succeed(Result.fail(end))
      )
    ),
    Effect.retry({ schedule: askAgain, while: (reason) => reason._tag === "LeaseTaken" }),
    Effect.catchTag("LeaseTaken", () =>
      Effect.fail(
        new StoreUnavailable({
          problem: `another process has been renewing this token for ${Duration.format(longestWait)}. Look at that process, or stop it`
        })
      )
    ),
    Effect.interruptible
  )

/** Somebody else has it. That the store cannot say is another matter. */
class LeaseTaken extends Data.TaggedError("LeaseTaken") {}

const takeLease = (store: TokenStore["Service"], key: TokenKey) =>
  Effect.gen(function* () {
    const lease = yield* store.lease(key, leaseTime)
    if (lease === undefined) return yield* new LeaseTaken()
    yield* Effect.addFinalizer(() => Effect.ignore(lease.release))
    yield* Effect.forkScoped(Effect.interruptible(keepRenewing(lease)))
    return lease
  }).pipe(Effect.uninterruptible)

/** Until somebody else has it. A store that does not answer now may do so before the lease has ended. */
const keepRenewing = (lease: TokenLease): Effect.Effect<void> =>
  Effect.delay(
    Effect.orElseSucceed(lease.renew, () => true),
    renewalInterval
  ).pipe(Effect.repeat({ while: (isOurs) => isOurs }), Effect.asVoid)
