import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { StoreUnavailable, type TokenKey } from "@secure-mcp/oauth-core"
import { inSpan } from "@secure-mcp/oauth-core/internal"
import { notStorable } from "../store/StoreEntry.ts"
import type { TokenLease } from "../store/TokenLease.ts"
import type { TokenStore } from "../store/TokenStore.ts"

/** When a process dies while it renews a token, others go on after this time. */
const leaseTime = Duration.seconds(10)
const renewalInterval = Duration.seconds(3)

/** The process that has the lease may ask its server three times and wait in between, which takes some 45 seconds. */
const longestWait = Duration.minutes(2)

/** After 25 ms, half as long again each time, at most half a second. */
const askAgain = Schedule.min([Schedule.exponential("25 millis", 1.5), Schedule.spaced("500 millis")]).pipe(
  Schedule.jittered,
  Schedule.upTo({ duration: longestWait, times: 1000 })
)

/** A lease that is released with its scope. */
export interface HeldLease extends TokenLease {
  /**
   * Whether a token waits to be written with this lease. Then it is not released with its scope, but ends by itself
   * or with `release`: another process would find the token that this one replaces, and use its refresh token again.
   */
  readonly awaitWrite: (isPending: boolean) => Effect.Effect<void>
}

/** What came of waiting for a lease. */
export type Turn<A> =
  /** Nobody else replaces the token as long as the scope is open. */
  | { readonly _tag: "Leased"; readonly lease: HeldLease }
  /** What another process did has made the lease unnecessary. */
  | { readonly _tag: "Overtaken"; readonly result: A }

/**
 * Acquires the lease of a key for as long as the scope is open, and renews it meanwhile. Waits while another process
 * has it, which can be interrupted. Fails when the store cannot be asked, or when another process does not release it.
 *
 * Steps `lease`, `release`, `leaseForRemoval` and `releaseAfterRemoval` of docs/models/renewal.pml.
 *
 * @param overtaken looked at while another process has the lease; a value ends the waiting
 */
export const acquireLease = <A>(
  store: TokenStore["Service"],
  key: TokenKey,
  overtaken: Effect.Effect<A | undefined>
): Effect.Effect<Turn<A>, StoreUnavailable, Scope.Scope> =>
  tryLease(store, key).pipe(
    Effect.map((lease): Turn<A> => ({ _tag: "Leased", lease })),
    Effect.catchTag("LeaseTaken", (taken) =>
      Effect.flatMap(overtaken, (result) =>
        result === undefined ? Effect.fail(taken) : Effect.succeed<Turn<A>>({ _tag: "Overtaken", result })
      )
    ),
    Effect.retry({ schedule: askAgain, while: (reason) => reason._tag === "LeaseTaken" }),
    Effect.catchTag("LeaseTaken", () => Effect.fail(neverReleased)),
    Effect.interruptible,
    inSpan("RefreshLock.acquireLease", { server_name: key.serverName })
  )

/** For a key whose tokens the store does not take: what is not shared needs no turn, and nothing is stored with it. */
export const unstorableLease: HeldLease = {
  found: notStorable,
  revision: 0,
  renew: Effect.succeed(true),
  set: () => Effect.succeed(true),
  remove: () => Effect.void,
  release: Effect.void,
  awaitWrite: () => Effect.void
}

const neverReleased = new StoreUnavailable({
  problem: `another process has been renewing this token for ${Duration.format(longestWait)}. Look at that process, or stop it`
})

/** Another process has the lease. That the store cannot say is another matter. */
class LeaseTaken extends Data.TaggedError("LeaseTaken") {}

const tryLease = (store: TokenStore["Service"], key: TokenKey) =>
  Effect.gen(function* () {
    const lease = yield* store.lease(key, leaseTime)
    if (lease === undefined) return yield* new LeaseTaken()
    const isUnwritten = yield* Ref.make(false)
    yield* Effect.addFinalizer(() =>
      Effect.flatMap(Ref.get(isUnwritten), (unwritten) =>
        unwritten ? Effect.void : Effect.ignore(lease.release)
      )
    )
    yield* Effect.forkScoped(Effect.interruptible(renewAgainAndAgain(lease)))
    return { ...lease, awaitWrite: (isPending) => Ref.set(isUnwritten, isPending) } satisfies HeldLease
  }).pipe(Effect.uninterruptible)

/** Until another process has the lease. A store that does not answer now may do so before the lease has ended. */
const renewAgainAndAgain = (lease: TokenLease): Effect.Effect<void> =>
  Effect.delay(
    Effect.orElseSucceed(lease.renew, () => true),
    renewalInterval
  ).pipe(Effect.repeat({ while: (isOurs) => isOurs }), Effect.asVoid)
