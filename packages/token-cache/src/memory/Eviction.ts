import * as Context from "effect/Context"
import * as HashMap from "effect/HashMap"
import type { CacheSlot, CacheState } from "./CacheState.ts"

/**
 * How many tokens are cached in memory at most, at least 1. Beyond it the token that was not used for the longest
 * time is evicted. Provide another number with `Layer.succeed(TokenCapacity, 500)`. Default: 10,000.
 */
export const TokenCapacity = Context.Reference<number>("@secure-mcp/token-cache/TokenCapacity", {
  defaultValue: () => 10_000
})

/** Puts a slot back as the most recently used one. */
export const useSlot = (state: CacheState, id: string, slot: CacheSlot): CacheState => {
  const uses = state.uses + 1
  return evict({ ...putSlot(state, id, { ...slot, lastUsed: uses }), uses }, id)
}

/** Puts a slot back. One that holds nothing leaves. */
export const putSlot = (state: CacheState, id: string, slot: CacheSlot): CacheState => ({
  ...state,
  slots:
    slot.cached === undefined && !isAtWork(slot)
      ? HashMap.remove(state.slots, id)
      : HashMap.set(state.slots, id, slot)
})

/** Evicts the least recently used tokens until the state is within its capacity. */
const evict = (state: CacheState, justUsed: string): CacheState => {
  const excess = HashMap.size(state.slots) - state.capacity
  if (excess <= 0) return state
  const evictable = Array.from(state.slots)
    .filter(([id, slot]) => id !== justUsed && isEvictable(slot))
    .toSorted(([, a], [, b]) => a.lastUsed - b.lastUsed)
    .slice(0, excess)
  return {
    ...state,
    slots: HashMap.removeMany(
      state.slots,
      evictable.map(([id]) => id)
    )
  }
}

/** Not while there is work in progress, nor while only this process has the refresh token. */
const isEvictable = (slot: CacheSlot): boolean => !isAtWork(slot) && !isIrreplaceable(slot)

/** Whether a token is being obtained or removed. */
const isAtWork = ({ acquisition, removal }: CacheSlot): boolean =>
  acquisition !== undefined || removal !== undefined

const isIrreplaceable = ({ cached }: CacheSlot): boolean =>
  cached?.pendingWrite !== undefined && cached.token.refreshToken !== undefined
