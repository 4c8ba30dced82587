import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { OAuthToken, StoreUnavailable } from "@secure-mcp/oauth-core"
import { tokenOfEntry } from "../store/StoreEntry.ts"
import type { TokenStore } from "../store/TokenStore.ts"
import { ContractViolation, expect, expectToken, fieldsOf, keyNamed } from "./ContractPoint.ts"
import { full, long, numbered } from "./ContractTokens.ts"
import { acquireLease } from "./TokenLeaseContract.ts"

/** What a process does until it is killed. */
export type CrashTask = "write" | "wait"

/** A process that has a store open. */
export interface StoreProcess {
  /** The next line of its standard output. */
  readonly nextLine: Effect.Effect<string>
  /** Kills it as `kill -9` does, and waits until it is gone. */
  readonly kill: Effect.Effect<void>
}

/** How the crash contract starts processes, and opens their store. */
export class StoreProcesses extends Context.Service<
  StoreProcesses,
  {
    /** Starts a process that opens the store and runs `runCrashTask`. It has to be gone when the scope closes. */
    readonly start: (task: CrashTask) => Effect.Effect<StoreProcess, never, Scope.Scope>
    /** Opens the same store in this process, as a process does that starts later. */
    readonly reopen: Effect.Effect<TokenStore["Service"], unknown, Scope.Scope>
  }
>()("@secure-mcp/token-cache/StoreProcesses") {}

/** One thing that holds although a process was killed. */
export interface CrashPoint {
  readonly name: string
  readonly effect: Effect.Effect<void, ContractViolation, StoreProcesses>
}

const written = keyNamed("crash-written")
const removed = keyNamed("crash-removed")
const leased = keyNamed("crash-leased")

/** Tokens of several lengths, so that a torn one is noticed. */
const growing = (number: number) =>
  new OAuthToken({
    ...numbered(number),
    refreshToken: Redacted.make(`contract-refresh-token-${number}-`.repeat(1 + (number % 50)))
  })

/** Longer than it takes to kill a process and to open the store again. */
const leaseTime = Duration.seconds(3)
const leaseIsOver = Duration.millis(3100)

/**
 * What the process has to run that is killed.
 *
 * @param say writes a line to standard output at once
 */
export const runCrashTask = (
  store: TokenStore["Service"],
  task: CrashTask,
  say: (line: string) => void
): Effect.Effect<never, StoreUnavailable> =>
  task === "write" ? writeAndWrite(store, say, 1) : removeAndWait(store, say)

/** Writes token after token: with a lease, and without one. */
const writeAndWrite = (
  store: TokenStore["Service"],
  say: (line: string) => void,
  number: number
): Effect.Effect<never, StoreUnavailable> =>
  Effect.gen(function* () {
    const lease = yield* store.lease(written, leaseTime)
    if (lease === undefined) return yield* new StoreUnavailable({ problem: "gives no lease" })
    yield* number % 2 === 0
      ? store.set(written, growing(number), Duration.infinity)
      : lease.set(growing(number), Duration.infinity)
    yield* lease.release
    say(String(number))
    return yield* writeAndWrite(store, say, number + 1)
  })

const removeAndWait = Effect.fnUntraced(function* (
  store: TokenStore["Service"],
  say: (line: string) => void
) {
  yield* store.set(removed, full, long)
  yield* store.remove(removed)
  yield* store.set(leased, full, long)
  yield* store.lease(leased, leaseTime)
  say("waiting")
  // A timer, because a process that waits for nothing ends.
  return yield* Effect.forever(Effect.sleep("1 minute"))
})

/** What is known of a process that was killed. */
interface KilledProcess {
  /** The last line it wrote. */
  readonly lastLine: string
  /** When it wrote that. */
  readonly wroteAt: number
}

/** Kills a process after so many lines. */
const killAfter = Effect.fnUntraced(function* (task: CrashTask, lines: number) {
  const process = yield* StoreProcesses.use(({ start }) => start(task))
  const said = yield* Effect.forEach(Array.from({ length: lines }), () => process.nextLine)
  const wroteAt = yield* Clock.currentTimeMillis
  yield* process.kill
  return { lastLine: said.at(-1) ?? "", wroteAt } satisfies KilledProcess
})

const crashPoint = (
  name: string,
  task: CrashTask,
  lines: number,
  check: (
    store: TokenStore["Service"],
    killed: KilledProcess
  ) => Effect.Effect<void, ContractViolation | StoreUnavailable>
): CrashPoint => ({
  name,
  effect: Effect.gen(function* () {
    const killed = yield* killAfter(task, lines)
    const store = yield* StoreProcesses.use(({ reopen }) => reopen)
    const clear = Effect.forEach([written, removed, leased], store.remove, { discard: true })
    yield* Effect.ensuring(check(store, killed), Effect.ignore(clear))
  }).pipe(
    Effect.scoped,
    Effect.mapError((error) =>
      error instanceof ContractViolation
        ? error
        : new ContractViolation({
            problem: error instanceof StoreUnavailable ? `fails: ${error.problem}` : "cannot be opened again"
          })
    )
  )
})

/** The last acknowledged token is there, or one that was written after it, and it is whole. */
const expectAtLeast = Effect.fnUntraced(function* (store: TokenStore["Service"], last: string) {
  const token = tokenOfEntry(yield* store.get(written))
  yield* expect(token !== undefined, "has lost a token that it had stored")
  if (token === undefined) return
  const [, text = ""] = /-(\d+)$/.exec(Redacted.value(token.accessToken)) ?? []
  yield* expect(Number(text) >= Number(last), "gives an earlier token than the last one it had stored")
  yield* expect(
    (yield* fieldsOf(token)) === (yield* fieldsOf(growing(Number(text)))),
    "gives a token that was torn"
  )
})

/**
 * What a store has to do that outlives its process, when a process is killed at any moment: what it had acknowledged is
 * there, whole, and others go on. Each point starts a process of its own, and runs under the live clock.
 *
 * @example
 * ```ts
 * import { it } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import { crashContract, StoreProcesses } from "@secure-mcp/token-cache/testing"
 *
 * // Starts a script of mine that opens my store and hands it to `runCrashTask`.
 * declare const myProcesses: StoreProcesses["Service"]
 *
 * for (const { effect, name } of crashContract)
 *   it.live(name, () => Effect.provideService(effect, StoreProcesses, myProcesses))
 * ```
 */
export const crashContract: ReadonlyArray<CrashPoint> = [
  crashPoint(
    "has the last token that was stored, whole, and goes on with its key, after its process was killed",
    "write",
    25,
    (store, { lastLine }) =>
      Effect.gen(function* () {
        yield* expectAtLeast(store, lastLine)
        yield* Effect.sleep(leaseIsOver)
        const lease = yield* acquireLease(store, written)
        yield* expect(yield* lease.set(full, long), "refuses a write with the lease given last")
        yield* expectToken(yield* store.get(written), full)
        yield* lease.release
      })
  ),
  crashPoint(
    "remembers a removal, and keeps a lease for its time and no longer, after its process was killed",
    "wait",
    1,
    (store, { wroteAt }) =>
      Effect.gen(function* () {
        const lease = yield* store.lease(leased, leaseTime)
        const age = (yield* Clock.currentTimeMillis) - wroteAt
        // On a busy machine it may be over before anybody can ask.
        const isInTime = age < Duration.toMillis(leaseTime) - 500
        yield* expect(lease === undefined || !isInTime, "gives a lease that another process has")
        yield* lease?.release ?? Effect.void
        const removal = yield* store.get(removed)
        yield* expect(removal._tag === "Removed", "forgets a removal when its process is killed")
        const next = yield* acquireLease(store, removed)
        yield* expect(
          removal._tag === "Removed" && next.revision > removal.revision,
          "gives a lease no number above the removal before it"
        )
        yield* next.release
        yield* Effect.sleep(leaseIsOver)
        const later = yield* acquireLease(store, leased)
        yield* expectToken(later.found, full)
        yield* later.release
      })
  )
]
