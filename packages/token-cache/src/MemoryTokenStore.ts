import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { tokenKeyString, type OAuthToken, type TokenCacheEntry, type TokenKey } from "@secure-mcp/oauth-core"
import { currentMoment, isSameAccessToken } from "./HeldToken.ts"
import { makeMemoryLeases, type MemoryLease } from "./MemoryLeases.ts"
import { makeSweeper } from "./Sweeper.ts"
import { TokenCapacity } from "./TokenCapacity.ts"
import type { TokenLease } from "./TokenLease.ts"
import type { TokenStore } from "./TokenStore.ts"

interface Kept extends TokenCacheEntry {
  /** That of the lease it was written with, or its own. */
  readonly number: number
  /** Milliseconds on the monotonic clock. */
  readonly endsAt: number
}

/** The memory store. What has ended is swept out within a minute, while the scope is open. */
export const makeMemoryTokenStore = Effect.gen(function* () {
  const capacity = yield* TokenCapacity
  // In the order of their last use, the least recently used first. Only touched in single synchronous steps.
  const kept = new Map<string, Kept>()
  const leases = makeMemoryLeases()

  const take = (id: string, now: number): Kept | undefined => {
    const found = kept.get(id)
    kept.delete(id)
    return found !== undefined && now < found.endsAt ? found : undefined
  }

  const dropEnded = (now: number): void => {
    for (const [id, { endsAt }] of kept) if (endsAt <= now) kept.delete(id)
  }

  const dropLeastRecentlyUsed = (): void => {
    for (const id of kept.keys()) {
      if (kept.size <= capacity) return
      kept.delete(id)
    }
  }

  const sweeper = yield* makeSweeper(
    Effect.map(currentMoment, (now) => {
      dropEnded(now.monotonic)
      return Array.from(kept.values()).some(({ endsAt }) => endsAt < Infinity)
    })
  )

  const read = (id: string, now: number): OAuthToken | undefined => {
    const found = take(id, now)
    if (found !== undefined) kept.set(id, found)
    return found?.token
  }

  const write = (
    { key, number, token }: Omit<Kept, "endsAt">,
    timeToLive: Duration.Duration,
    now: number
  ): void => {
    const id = tokenKeyString(key)
    kept.delete(id)
    kept.set(id, { key, token, number, endsAt: now + Duration.toMillis(timeToLive) })
    if (kept.size <= capacity) return
    dropEnded(now)
    dropLeastRecentlyUsed()
  }

  const leaseOf = (
    key: TokenKey,
    lease: MemoryLease,
    found: OAuthToken | undefined,
    timeToLive: Duration.Duration
  ): TokenLease => {
    const id = tokenKeyString(key)
    return {
      found,
      renew: Effect.map(currentMoment, (now) => {
        const isOurs = leases.isLast(id, lease)
        if (isOurs) lease.endsAt = now.monotonic + Duration.toMillis(timeToLive)
        return isOurs
      }),
      set: (token, keptFor) =>
        Effect.map(currentMoment, (now) => {
          if (lease.superseded || (kept.get(id)?.number ?? 0) > lease.number) return false
          write({ key, token, number: lease.number }, keptFor, now.monotonic)
          leases.supersede(id, lease)
          return true
        }).pipe(Effect.tap(sweeper.wake)),
      remove: (token) =>
        Effect.map(currentMoment, (now) => {
          const present = read(id, now.monotonic)
          if (present === undefined || !isSameAccessToken(present, token)) return
          kept.delete(id)
          leases.supersede(id, lease)
        }),
      release: Effect.sync(() => leases.takeBack(id, lease))
    }
  }

  const store: TokenStore["Service"] = {
    get: (key) => Effect.map(currentMoment, (now) => read(tokenKeyString(key), now.monotonic)),
    set: (key, token, timeToLive) =>
      Effect.map(currentMoment, (now) => {
        write({ key, token, number: leases.nextNumber() }, timeToLive, now.monotonic)
        leases.supersede(tokenKeyString(key))
      }).pipe(Effect.andThen(sweeper.wake)),
    remove: (key) =>
      Effect.map(currentMoment, (now) => {
        const id = tokenKeyString(key)
        leases.supersede(id)
        return take(id, now.monotonic)?.token
      }),
    list: Effect.map(currentMoment, (now) => {
      dropEnded(now.monotonic)
      return Array.from(kept.values(), ({ key, token }) => ({ key, token }))
    }),
    checkWritable: Effect.void,
    lease: (key, timeToLive) =>
      Effect.map(currentMoment, ({ monotonic }) => {
        const id = tokenKeyString(key)
        const lease = leases.give(id, monotonic, monotonic + Duration.toMillis(timeToLive))
        return lease && leaseOf(key, lease, read(id, monotonic), timeToLive)
      })
  }
  return store
})
