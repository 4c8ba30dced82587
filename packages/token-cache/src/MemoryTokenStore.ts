import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { tokenKeyString, type TokenCacheEntry } from "@secure-mcp/oauth-core"
import { currentMoment } from "./HeldToken.ts"
import { makeSweeper } from "./Sweeper.ts"
import { TokenCapacity } from "./TokenCapacity.ts"
import type { TokenStore } from "./TokenStore.ts"

interface Kept extends TokenCacheEntry {
  /** Milliseconds on the monotonic clock. */
  readonly endsAt: number
}

/** The memory store. What has ended is swept out within a minute, while the scope is open. */
export const makeMemoryTokenStore = Effect.gen(function* () {
  const capacity = yield* TokenCapacity
  // In the order of their last use, the least recently used first. Only touched in single synchronous steps.
  const kept = new Map<string, Kept>()

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

  const store: TokenStore["Service"] = {
    get: (key) =>
      Effect.map(currentMoment, (now) => {
        const id = tokenKeyString(key)
        const found = take(id, now.monotonic)
        if (found !== undefined) kept.set(id, found)
        return found?.token
      }),
    set: (key, token, timeToLive) =>
      Effect.map(currentMoment, (now) => {
        const id = tokenKeyString(key)
        kept.delete(id)
        kept.set(id, { key, token, endsAt: now.monotonic + Duration.toMillis(timeToLive) })
        if (kept.size <= capacity) return
        dropEnded(now.monotonic)
        dropLeastRecentlyUsed()
      }).pipe(Effect.andThen(sweeper.wake)),
    remove: (key) => Effect.map(currentMoment, (now) => take(tokenKeyString(key), now.monotonic)?.token),
    list: Effect.map(currentMoment, (now) => {
      dropEnded(now.monotonic)
      return Array.from(kept.values(), ({ key, token }) => ({ key, token }))
    }),
    checkWritable: Effect.void
  }
  return store
})
