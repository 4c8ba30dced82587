import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import {
  type OAuthToken,
  type StoreUnavailable,
  type TokenCacheEntry,
  type TokenKey,
  tokenKeyString
} from "@secure-mcp/oauth-core"
import { makeMemoryLeases, type MemoryLease } from "./MemoryLeases.ts"
import { absent, removalRecordLife, type RemovedToken, type StoreEntry } from "./StoreEntry.ts"
import type { TokenLease } from "./TokenLease.ts"
import type { TokenStore } from "./TokenStore.ts"

/** A token, and the number of its write. `TokenRecord` has a place for both. */
export interface NumberedToken {
  readonly token: OAuthToken
  readonly revision: number
}

/** What a store without leases does. */
export interface UnleasedStore {
  /** The token of a key, until its time to live is over. */
  readonly get: (key: TokenKey) => Effect.Effect<NumberedToken | undefined, StoreUnavailable>
  /** Replaces the token of a key. The write is durable when this ends. */
  readonly set: (
    key: TokenKey,
    token: NumberedToken,
    timeToLive: Duration.Duration
  ) => Effect.Effect<void, StoreUnavailable>
  /** Removes the token of a key, if there is one. */
  readonly remove: (key: TokenKey) => Effect.Effect<void, StoreUnavailable>
  /** All tokens of the store, in no particular order. */
  readonly list: Effect.Effect<ReadonlyArray<TokenCacheEntry>, StoreUnavailable>
  /** Whether `set` would work now, found out by trying. */
  readonly checkWritable: Effect.Effect<void, StoreUnavailable>
}

/** A process that removes more than this forgets the earliest removals, which only matter to itself. */
const rememberedRemovals = 10_000

/**
 * Gives a store leases and records of removals in the memory of this process. One change at a time is made, so that a
 * write and what it depends on are one step.
 */
export const makeUnleasedLeases = Effect.fnUntraced(function* (store: UnleasedStore) {
  const turn = yield* Semaphore.make(1)
  const inTurn = <A, E>(change: Effect.Effect<A, E>): Effect.Effect<A, E> => turn.withPermit(change)
  const leases = makeMemoryLeases()
  // In the order of the removals.
  const removals = new Map<string, RemovedToken>()

  const entryOf = (id: string, found: NumberedToken | undefined): StoreEntry => {
    const removed = removals.get(id)
    if (removed !== undefined && (found === undefined || found.revision <= removed.revision)) return removed
    return found === undefined ? absent : { _tag: "Stored", token: found.token, revision: found.revision }
  }

  const read = (key: TokenKey) => Effect.map(store.get(key), (found) => entryOf(tokenKeyString(key), found))

  const lastRevision = (entry: StoreEntry): number =>
    entry._tag === "Stored" || entry._tag === "Removed" ? entry.revision : 0

  const recordRemoval = (id: string, removal: RemovedToken): void => {
    removals.delete(id)
    removals.set(id, removal)
    const before = removal.removedAt - Duration.toMillis(removalRecordLife)
    for (const [earliest, { removedAt }] of removals) {
      if (removedAt >= before && removals.size <= rememberedRemovals) return
      removals.delete(earliest)
    }
  }

  const set: Store["set"] = Effect.fnUntraced(function* (key, token, timeToLive) {
    const id = tokenKeyString(key)
    const revision = leases.nextRevision(lastRevision(yield* read(key)))
    yield* store.set(key, { token, revision }, timeToLive)
    leases.supersede(id)
    removals.delete(id)
    return revision
  }, inTurn)

  /** The removal counts from its first step on, also if the store fails to take the token away. */
  const remove: Store["remove"] = Effect.fnUntraced(function* (key) {
    const id = tokenKeyString(key)
    const entry = yield* read(key)
    leases.supersede(id)
    recordRemoval(id, {
      _tag: "Removed",
      revision: leases.nextRevision(lastRevision(entry)),
      removedAt: yield* Clock.currentTimeMillis
    })
    if (entry._tag !== "Stored") return undefined
    yield* store.remove(key)
    return entry.token
  }, inTurn)

  const leaseOf = (
    key: TokenKey,
    lease: MemoryLease,
    found: StoreEntry,
    timeToLive: Duration.Duration
  ): TokenLease => {
    const id = tokenKeyString(key)
    return {
      found,
      revision: lease.revision,
      renew: Effect.map(monotonicMillis, (now) => {
        const isOurs = leases.isLast(id, lease)
        if (isOurs) lease.endsAt = now + Duration.toMillis(timeToLive)
        return isOurs
      }),
      set: Effect.fnUntraced(function* (token, life) {
        if (lease.superseded || lastRevision(yield* read(key)) > lease.revision) return false
        yield* store.set(key, { token, revision: lease.revision }, life)
        leases.supersede(id, lease)
        return true
      }, inTurn),
      remove: Effect.fnUntraced(function* (token) {
        const entry = yield* read(key)
        if (entry._tag !== "Stored" || !entry.token.isSame(token)) return
        yield* store.remove(key)
        leases.supersede(id, lease)
      }, inTurn),
      release: Effect.sync(() => leases.release(id, lease))
    }
  }

  const lease: Store["lease"] = Effect.fnUntraced(function* (key, timeToLive) {
    const entry = yield* read(key)
    const now = yield* monotonicMillis
    const endsAt = now + Duration.toMillis(timeToLive)
    const given = leases.give(tokenKeyString(key), now, endsAt, lastRevision(entry))
    return given && leaseOf(key, given, entry, timeToLive)
  }, inTurn)

  const list = Effect.map(store.list, (entries) =>
    entries.filter(({ key }) => !removals.has(tokenKeyString(key)))
  )

  return { get: read, set, remove, list, checkWritable: store.checkWritable, lease } satisfies Store
})

type Store = TokenStore["Service"]

const monotonicMillis = Clock.clockWith((clock) =>
  Effect.sync(() => Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000)
)
