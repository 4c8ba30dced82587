import * as HashMap from "effect/HashMap"
import type { TokenKey } from "@secure-mcp/oauth-core"
import { emptySlot, slotOf, type CacheSlot, type CacheState } from "./CacheState.ts"
import { putSlot } from "./Eviction.ts"
import type { MemoryToken } from "./MemoryToken.ts"

/** The slot of a key, as it is at this monotonic time; `expired` if its token has expired since the last look. */
export const slotAt = (
  state: CacheState,
  id: string,
  key: TokenKey,
  now: number
): { readonly slot: CacheSlot; readonly expired: boolean } => {
  const slot = slotOf(state, id)
  return slot === undefined ? { slot: emptySlot(key), expired: false } : expire(slot, now)
}

const expire = (slot: CacheSlot, now: number): { readonly slot: CacheSlot; readonly expired: boolean } => {
  const { cached } = slot
  if (cached === undefined || now < cached.expiresAt || isForRefreshOnly(cached))
    return { slot, expired: false }
  const left = cached.token.refreshToken === undefined ? undefined : { ...cached, mayServe: false }
  return { slot: { ...slot, cached: left }, expired: cached.mayServe }
}

const isForRefreshOnly = ({ mayServe, token }: MemoryToken): boolean =>
  !mayServe && token.refreshToken !== undefined

/** Drops what has expired; gives the keys whose token did. */
export const dropExpired = (
  state: CacheState,
  now: number
): readonly [ReadonlyArray<TokenKey>, CacheState] => {
  const expired: Array<TokenKey> = []
  let next = state
  for (const [id, slot] of state.slots) {
    const aged = expire(slot, now)
    if (aged.slot !== slot) next = putSlot(next, id, aged.slot)
    if (aged.expired) expired.push(slot.key)
  }
  return [expired, next]
}

/** Whether there is a token that `dropExpired` will drop one day. */
export const mayExpire = ({ slots }: CacheState): boolean =>
  HashMap.some(
    slots,
    ({ cached }) => cached !== undefined && cached.expiresAt < Infinity && !isForRefreshOnly(cached)
  )
