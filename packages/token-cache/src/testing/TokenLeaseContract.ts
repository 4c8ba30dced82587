import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { TokenKey } from "@secure-mcp/oauth-core"
import {
  aboutKey,
  contractPoint,
  expect,
  expectToken,
  keyNamed,
  pass,
  type ContractPoint
} from "./ContractPoint.ts"
import { full, long, plain, short } from "./ContractTokens.ts"
import type { TokenStore } from "../store/TokenStore.ts"

const brief = Duration.millis(1000)
const afterwards = Duration.millis(1100)

/** Acquires a lease that no other caller has. */
export const acquireLease = (store: TokenStore["Service"], key: TokenKey, timeToLive = long) =>
  Effect.gen(function* () {
    const lease = yield* store.lease(key, timeToLive)
    yield* expect(lease !== undefined, "does not give a lease that is free")
    return lease ?? (yield* Effect.never)
  })

const expectTaken = Effect.fnUntraced(function* (store: TokenStore["Service"], key: TokenKey) {
  yield* expect((yield* store.lease(key, long)) === undefined, "gives a lease that another caller has")
})

/** What every `TokenStore` has to do about leases. */
export const tokenLeaseContract: ReadonlyArray<ContractPoint> = [
  aboutKey("gives the lease of a key to one caller at a time", "exclusive", (store, key) =>
    Effect.gen(function* () {
      yield* store.set(key, full, long)
      const leases = yield* Effect.all([store.lease(key, long), store.lease(key, long)], {
        concurrency: "unbounded"
      })
      const given = leases.filter((lease) => lease !== undefined)
      yield* expect(given.length === 1, "gives a lease to none or both of two callers")
      yield* expectTaken(store, key)
      yield* Effect.forEach(given, (lease) => lease.release)
      yield* (yield* acquireLease(store, key)).release
    })
  ),
  contractPoint("leases each key on its own", [keyNamed("one"), keyNamed("other")], (store) =>
    Effect.gen(function* () {
      const one = yield* acquireLease(store, keyNamed("one"))
      const other = yield* acquireLease(store, keyNamed("other"))
      yield* one.release
      yield* expectTaken(store, keyNamed("other"))
      yield* other.release
    })
  ),
  aboutKey("tells with a lease which token is stored", "found", (store, key) =>
    Effect.gen(function* () {
      const first = yield* acquireLease(store, key)
      yield* expectToken(first.found, undefined)
      yield* first.release
      yield* store.set(key, full, long)
      const second = yield* acquireLease(store, key)
      yield* expectToken(second.found, full)
      yield* second.release
    })
  ),
  aboutKey("writes with a lease as without", "leased", (store, key) =>
    Effect.gen(function* () {
      const lease = yield* acquireLease(store, key)
      yield* expect(yield* lease.set(full, long), "refuses the first write with a lease")
      yield* expectToken(yield* store.get(key), full)
      yield* expect(yield* lease.set(plain, brief), "refuses another write with the same lease")
      yield* expectToken(yield* store.get(key), plain)
      yield* pass(afterwards)
      yield* expectToken(yield* store.get(key), undefined)
      yield* lease.release
    })
  ),
  aboutKey("ends a lease that is not renewed, and no other", "renewed", (store, key) =>
    Effect.gen(function* () {
      yield* store.set(key, full, long)
      const lease = yield* acquireLease(store, key, short)
      yield* pass(Duration.millis(1200))
      yield* expect(yield* lease.renew, "does not renew a lease that has not ended")
      yield* pass(Duration.millis(1200))
      yield* expectTaken(store, key)
      yield* pass(Duration.millis(900))
      yield* (yield* acquireLease(store, key)).release
    })
  ),
  aboutKey("neither renews nor releases a lease that another caller has now", "lost", (store, key) =>
    Effect.gen(function* () {
      yield* store.set(key, full, long)
      const lost = yield* acquireLease(store, key, brief)
      yield* pass(afterwards)
      const later = yield* acquireLease(store, key)
      yield* expect(!(yield* lost.renew), "renews a lease that another caller has by now")
      yield* lost.release
      yield* expectTaken(store, key)
      yield* later.release
    })
  ),
  aboutKey("refuses a write with a lease after a write with a later one", "fenced", (store, key) =>
    Effect.gen(function* () {
      yield* store.set(key, full, long)
      const lost = yield* acquireLease(store, key, brief)
      yield* pass(afterwards)
      const later = yield* acquireLease(store, key)
      yield* expect(yield* later.set(plain, long), "refuses a write with the lease given last")
      yield* expect(!(yield* lost.set(full, long)), "says that it wrote with a lease that is out of date")
      yield* expectToken(yield* store.get(key), plain)
      yield* later.release
    })
  ),
  aboutKey("takes a write with a lease that has ended if no other write came since", "late", (store, key) =>
    Effect.gen(function* () {
      yield* store.set(key, full, long)
      const lost = yield* acquireLease(store, key, brief)
      yield* pass(afterwards)
      const later = yield* acquireLease(store, key)
      yield* expect(yield* lost.set(plain, long), "refuses a token although none was written since")
      yield* expectToken(yield* store.get(key), plain)
      yield* expect(yield* later.set(full, long), "refuses a write with the lease given last")
      yield* expectToken(yield* store.get(key), full)
      yield* later.release
    })
  ),
  aboutKey(
    "takes a write after its lease was released, unless another write came first",
    "released",
    (store, key) =>
      Effect.gen(function* () {
        const lease = yield* acquireLease(store, key)
        yield* lease.release
        yield* expect(yield* lease.set(full, long), "refuses a token although none was written since")
        yield* expectToken(yield* store.get(key), full)
        yield* store.set(key, plain, long)
        yield* expect(
          !(yield* lease.set(full, long)),
          "replaces a token that was set since the lease was given"
        )
        yield* expectToken(yield* store.get(key), plain)
      })
  ),
  aboutKey("refuses a write with a lease after a write without one", "overtaken", (store, key) =>
    Effect.gen(function* () {
      const lease = yield* acquireLease(store, key)
      yield* store.set(key, full, long)
      yield* expect(
        !(yield* lease.set(plain, long)),
        "replaces a token that was set since the lease was given"
      )
      yield* expectToken(yield* store.get(key), full)
      yield* lease.release
      const next = yield* acquireLease(store, key)
      yield* expect(yield* next.set(plain, long), "refuses a write with a lease given after the last write")
      yield* next.release
    })
  ),
  aboutKey("refuses a write with a lease after the token was removed", "forgotten", (store, key) =>
    Effect.gen(function* () {
      yield* store.set(key, full, long)
      const lease = yield* acquireLease(store, key)
      yield* store.remove(key)
      yield* expect(!(yield* lease.set(plain, long)), "brings back a token that was removed")
      yield* expectToken(yield* store.get(key), undefined)
      yield* lease.release
    })
  ),
  aboutKey("removes with a lease only the token that is meant", "compared", (store, key) =>
    Effect.gen(function* () {
      yield* store.set(key, full, long)
      const lease = yield* acquireLease(store, key)
      yield* lease.remove(plain)
      yield* expectToken(yield* store.get(key), full)
      yield* lease.remove(full)
      yield* expectToken(yield* store.get(key), undefined)
      yield* lease.remove(full)
      yield* lease.release
    })
  )
]
