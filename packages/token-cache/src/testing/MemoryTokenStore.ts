import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { tokenKeyString, type OAuthToken, type TokenCacheEntry, type TokenKey } from "@secure-mcp/oauth-core"
import { TokenCapacity } from "../memory/TokenSlots.ts"
import { currentMoment, type Moment } from "../memory/Moment.ts"
import { makeSweeper } from "../memory/Sweeper.ts"
import { makeMemoryLeases, type MemoryLease } from "../store/MemoryLeases.ts"
import { changeGroup } from "../store/StoreChanges.ts"
import { absent, removalRecordLife, type RemovedToken, type StoreEntry } from "../store/StoreEntry.ts"
import type { TokenLease } from "../store/TokenLease.ts"
import { TokenStore } from "../store/TokenStore.ts"

/**
 * A `TokenStore` in the memory of this process, with leases and removal records as a shared store has them: for tests
 * of code that uses a store, and as the pattern of a store of your own. `TokenCapacity` bounds it.
 *
 * @example
 * ```ts
 * import * as Layer from "effect/Layer"
 * import { SingleFlightTokenCache } from "@secure-mcp/token-cache"
 * import { MemoryTokenStore } from "@secure-mcp/token-cache/testing"
 *
 * export const cache = SingleFlightTokenCache.layer.pipe(Layer.provideMerge(MemoryTokenStore.layer))
 * ```
 */
export const MemoryTokenStore = {
  layer: Layer.effect(
    TokenStore,
    Effect.suspend(() => make)
  )
}

interface Stored extends TokenCacheEntry {
  readonly revision: number
  /** Milliseconds on the monotonic clock. */
  readonly endsAt: number
}

/** What has ended is swept out within a minute, while the scope is open. */
const make = Effect.gen(function* () {
  const capacity = yield* TokenCapacity
  // In the order of their last use, the least recently used first. Only touched in single synchronous steps.
  const tokens = new Map<string, Stored>()
  const removals = new Map<string, RemovedToken>()
  const leases = makeMemoryLeases()
  /** When a key of each group was written or removed last, counted in changes. */
  const changes = new Map<number, number>()
  let lastChange = 0

  const noteChange = (key: TokenKey): void => {
    changes.set(changeGroup(key), ++lastChange)
  }

  const take = (id: string, { monotonic }: Moment): Stored | undefined => {
    const found = tokens.get(id)
    tokens.delete(id)
    return found !== undefined && monotonic < found.endsAt ? found : undefined
  }

  const dropEnded = ({ monotonic, wall }: Moment): void => {
    for (const [id, { endsAt }] of tokens) if (endsAt <= monotonic) tokens.delete(id)
    const before = wall - Duration.toMillis(removalRecordLife)
    for (const [id, { removedAt }] of removals) if (removedAt < before) removals.delete(id)
  }

  const dropLeastRecentlyUsed = (): void => {
    for (const id of tokens.keys()) {
      if (tokens.size <= capacity) return
      tokens.delete(id)
    }
  }

  const sweeper = yield* makeSweeper(
    Effect.map(currentMoment, (now) => {
      dropEnded(now)
      return removals.size > 0 || Array.from(tokens.values()).some(({ endsAt }) => endsAt < Infinity)
    })
  )

  const read = (id: string, now: Moment): StoreEntry => {
    const found = take(id, now)
    if (found === undefined) return removals.get(id) ?? absent
    tokens.set(id, found)
    return { _tag: "Stored", token: found.token, revision: found.revision }
  }

  const write = (
    { key, revision, token }: Omit<Stored, "endsAt">,
    timeToLive: Duration.Duration,
    now: Moment
  ): void => {
    const id = tokenKeyString(key)
    noteChange(key)
    tokens.delete(id)
    removals.delete(id)
    tokens.set(id, { key, token, revision, endsAt: now.monotonic + Duration.toMillis(timeToLive) })
    if (tokens.size <= capacity) return
    dropEnded(now)
    dropLeastRecentlyUsed()
  }

  const lastRevision = (id: string): number =>
    Math.max(tokens.get(id)?.revision ?? 0, removals.get(id)?.revision ?? 0)

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
      renew: Effect.map(currentMoment, (now) => {
        const isOurs = leases.isLast(id, lease)
        if (isOurs) lease.endsAt = now.monotonic + Duration.toMillis(timeToLive)
        return isOurs
      }),
      set: (token, ttl) =>
        Effect.map(currentMoment, (now) => {
          if (lease.superseded || lastRevision(id) > lease.revision) return false
          write({ key, token, revision: lease.revision }, ttl, now)
          leases.supersede(id, lease)
          return true
        }).pipe(Effect.tap(sweeper.wake)),
      remove: (token) =>
        Effect.map(currentMoment, (now) => {
          const present = read(id, now)
          if (present._tag !== "Stored" || !present.token.isSame(token)) return
          noteChange(key)
          tokens.delete(id)
          leases.supersede(id, lease)
        }),
      release: Effect.sync(() => leases.release(id, lease))
    }
  }

  return TokenStore.of({
    get: (key) => Effect.map(currentMoment, (now) => read(tokenKeyString(key), now)),
    set: (key, token, timeToLive) =>
      Effect.map(currentMoment, (now) => {
        const revision = leases.nextRevision()
        write({ key, token, revision }, timeToLive, now)
        leases.supersede(tokenKeyString(key))
        return revision
      }).pipe(Effect.tap(sweeper.wake)),
    remove: (key): Effect.Effect<OAuthToken | undefined> =>
      Effect.map(currentMoment, (now) => {
        const id = tokenKeyString(key)
        noteChange(key)
        leases.supersede(id)
        removals.set(id, { _tag: "Removed", revision: leases.nextRevision(), removedAt: now.wall })
        return take(id, now)?.token
      }).pipe(Effect.tap(sweeper.wake)),
    list: Effect.map(currentMoment, (now) => {
      dropEnded(now)
      return Array.from(tokens.values(), ({ key, token }) => ({ key, token }))
    }),
    checkWritable: Effect.void,
    lease: (key, timeToLive) =>
      Effect.map(currentMoment, (now) => {
        const id = tokenKeyString(key)
        const lease = leases.give(id, now.monotonic, now.monotonic + Duration.toMillis(timeToLive))
        return lease && leaseOf(key, lease, read(id, now), timeToLive)
      }),
    changes: (cursor) =>
      Effect.sync(() => ({
        cursor: String(lastChange),
        groups: new Set(
          [...changes].filter(([, at]) => at > Number(cursor ?? lastChange)).map(([group]) => group)
        )
      }))
  })
})
