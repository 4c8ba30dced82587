import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { OAuthToken } from "@secure-mcp/oauth-core"
import { aboutKey, expect, expectToken, type ContractPoint } from "./ContractPoint.ts"
import { full, long, plain } from "./ContractTokens.ts"
import { acquireLease } from "./TokenLeaseContract.ts"

/** The same access token with another refresh token, as a server may answer with. */
const renewed = new OAuthToken({ ...full, refreshToken: Redacted.make("contract-refresh-token-2") })

/** An answer whose access token must not be served. */
const unservable = new OAuthToken({ ...renewed, accessToken: Redacted.make(""), reusable: false })

/** What every `TokenStore` has to do so that a removal is final and no new refresh token is lost. */
export const tokenRemovalContract: ReadonlyArray<ContractPoint> = [
  aboutKey(
    "tells that a token was removed, with a number above every lease given before",
    "told",
    (store, key) =>
      Effect.gen(function* () {
        yield* store.set(key, full, long)
        const lease = yield* acquireLease(store, key)
        yield* store.remove(key)
        const entry = yield* store.get(key)
        yield* expect(entry._tag === "Removed", "does not tell that a token was removed")
        if (entry._tag !== "Removed") return
        yield* expect(entry.revision > lease.revision, "gives a removal no number above the lease before it")
        yield* expect(Number.isFinite(entry.removedAt), "does not tell when a token was removed")
        yield* lease.release
        const next = yield* acquireLease(store, key)
        yield* expect(next.found._tag === "Removed", "does not tell with a lease that a token was removed")
        yield* expect(next.revision > entry.revision, "gives a lease no number above the removal before it")
        yield* next.release
      })
  ),
  aboutKey("remembers a removal although it had no token", "nothing", (store, key) =>
    Effect.gen(function* () {
      const lease = yield* acquireLease(store, key)
      yield* store.remove(key)
      yield* expect(
        (yield* store.get(key))._tag === "Removed",
        "forgets the removal of a token it did not have"
      )
      yield* expect(!(yield* lease.set(full, long)), "stores a token with a lease from before a removal")
      yield* lease.release
    })
  ),
  aboutKey("stores a token again after its removal, with a lease or without", "login", (store, key) =>
    Effect.gen(function* () {
      for (const leased of [false, true]) {
        yield* store.set(key, full, long)
        yield* store.remove(key)
        const removal = yield* store.get(key)
        if (leased) {
          const lease = yield* acquireLease(store, key)
          yield* expect(yield* lease.set(plain, long), "refuses a lease given after a removal")
          yield* lease.release
        } else yield* store.set(key, plain, long)
        const entry = yield* store.get(key)
        yield* expectToken(entry, plain)
        yield* expect(
          entry._tag === "Stored" && removal._tag === "Removed" && entry.revision > removal.revision,
          "gives a write no number above the removal before it"
        )
      }
    })
  ),
  aboutKey("numbers each write: with that of its lease, or with one of its own", "numbered", (store, key) =>
    Effect.gen(function* () {
      const first = yield* store.set(key, full, long)
      const lease = yield* acquireLease(store, key)
      yield* expect(
        lease.found._tag === "Stored" && lease.found.revision === first,
        "tells another number than it gave a write"
      )
      yield* expect(lease.revision > first, "gives a lease no number above the write before it")
      yield* lease.set(plain, long)
      const entry = yield* store.get(key)
      yield* expect(
        entry._tag === "Stored" && entry.revision === lease.revision,
        "tells another number for a write than that of its lease"
      )
      const last = yield* store.set(key, full, long)
      yield* expect(last > lease.revision, "gives a write no number above the lease before it")
      yield* lease.release
    })
  ),
  aboutKey(
    "stores a new refresh token at once, and with the same lease the token that follows",
    "grant",
    (store, key) =>
      Effect.gen(function* () {
        yield* store.set(key, full, Duration.infinity)
        const lease = yield* acquireLease(store, key)
        yield* expect(yield* lease.set(unservable, Duration.infinity), "refuses a new refresh token")
        yield* expectToken(yield* store.get(key), unservable)
        yield* expect(
          yield* lease.set(renewed, Duration.infinity),
          "refuses the token after its refresh token"
        )
        yield* expectToken(yield* store.get(key), renewed)
        yield* lease.release
      })
  ),
  aboutKey("tells tokens apart that differ in the refresh token only", "refresh", (store, key) =>
    Effect.gen(function* () {
      yield* store.set(key, renewed, long)
      const lease = yield* acquireLease(store, key)
      yield* lease.remove(full)
      yield* expectToken(yield* store.get(key), renewed)
      yield* lease.release
    })
  ),
  aboutKey(
    "removes the newest token while its lease is out, which cannot bring it back",
    "revoked",
    (store, key) =>
      Effect.gen(function* () {
        yield* store.set(key, full, long)
        const lease = yield* acquireLease(store, key)
        yield* lease.set(renewed, long)
        yield* expectToken(yield* store.remove(key), renewed)
        yield* expect(!(yield* lease.set(full, long)), "brings back a token that was removed under its lease")
        yield* expect((yield* store.get(key))._tag === "Removed", "does not tell that a token was removed")
        yield* lease.release
      })
  )
]
