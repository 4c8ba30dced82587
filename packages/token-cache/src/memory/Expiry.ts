import type { TokenKey } from "@secure-mcp/oauth-core"
import type { CacheSlot } from "./CacheSlot.ts"
import type { MemoryToken } from "./MemoryToken.ts"
import type { TokenSlots } from "./TokenSlots.ts"

/** A slot as it is at this monotonic time; `expired` if its token has expired since the last look. */
export const expire = (
  slot: CacheSlot,
  now: number
): { readonly slot: CacheSlot; readonly expired: boolean } => {
  const { cached } = slot
  if (cached === undefined || now < cached.expiresAt || isForRefreshOnly(cached))
    return { slot, expired: false }
  const left = cached.token.refreshToken === undefined ? undefined : { ...cached, mayServe: false }
  return { slot: { ...slot, cached: left }, expired: cached.mayServe }
}

const isForRefreshOnly = ({ mayServe, token }: MemoryToken): boolean =>
  !mayServe && token.refreshToken !== undefined

/** Drops what has expired; gives the keys whose token did. */
export const dropExpired = (slots: TokenSlots, now: number): ReadonlyArray<TokenKey> => {
  const expired: Array<TokenKey> = []
  for (const slot of slots.all()) {
    const aged = expire(slot, now)
    if (aged.slot !== slot) slots.modify(slot.key, () => [undefined, aged.slot])
    if (aged.expired) expired.push(slot.key)
  }
  return expired
}

/** Whether there is a token that `dropExpired` will drop one day. */
export const mayExpire = (slots: TokenSlots): boolean => {
  for (const { cached } of slots.all())
    if (cached !== undefined && cached.expiresAt < Infinity && !isForRefreshOnly(cached)) return true
  return false
}
