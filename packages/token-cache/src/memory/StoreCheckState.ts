import type { StoreEntry } from "../store/StoreEntry.ts"
import { slotOf, type CacheState } from "./CacheState.ts"
import { putSlot } from "./Eviction.ts"
import { isRemoved, isReplacedBy, toMemoryToken, type MemoryToken, type PendingWrite } from "./MemoryToken.ts"
import type { Moment } from "./Moment.ts"

/** The store says that this token was removed: it is not used any more, unless another one has replaced it. */
export const dropRemoved = (state: CacheState, id: string, removed: MemoryToken | undefined): CacheState => {
  const slot = slotOf(state, id)
  return slot?.cached === undefined || slot.cached.token !== removed?.token
    ? state
    : putSlot(state, id, { ...slot, cached: undefined, refusedGrant: undefined })
}

/** A token that the store does not have yet. */
export interface PendingToken {
  readonly id: string
  readonly cached: MemoryToken
  readonly pendingWrite: PendingWrite
}

/** The tokens that the store does not have yet. */
export const pendingTokens = (state: CacheState): ReadonlyArray<PendingToken> =>
  Array.from(state.slots).flatMap(([id, { cached }]) =>
    cached?.pendingWrite === undefined ? [] : [{ id, cached, pendingWrite: cached.pendingWrite }]
  )

/**
 * A pending write has ended.
 *
 * @param revision that of the write; undefined if the store has a later token, or the token was removed
 */
export const endPendingWrite = (
  state: CacheState,
  id: string,
  written: MemoryToken,
  revision: number | undefined,
  now: Moment
): CacheState => {
  const slot = slotOf(state, id)
  if (slot?.cached?.token !== written.token) return state
  const cached =
    revision === undefined ? undefined : { ...written, pendingWrite: undefined, revision, checkedAt: now }
  return putSlot(state, id, { ...slot, cached })
}

/**
 * The store was asked about a token in memory. A removed token is dropped, another process's token takes its place, and
 * any other one is good until the next look.
 *
 * @param entry undefined if the store did not answer: that is no removal
 * @returns whether the token was removed
 */
export const endStoreCheck = (
  state: CacheState,
  id: string,
  checked: MemoryToken,
  entry: StoreEntry | undefined,
  now: Moment
): readonly [wasRemoved: boolean, CacheState] => {
  const slot = slotOf(state, id)
  if (slot === undefined) return [false, state]
  const idle = { ...slot, storeCheck: undefined }
  // Another token has come meanwhile, of which the answer says nothing.
  if (slot.cached === undefined || slot.cached.token !== checked.token)
    return [false, putSlot(state, id, idle)]
  const cached = afterStoreCheck(slot.cached, entry, now)
  return [cached === undefined, putSlot(state, id, { ...idle, cached })]
}

const afterStoreCheck = (
  cached: MemoryToken,
  entry: StoreEntry | undefined,
  now: Moment
): MemoryToken | undefined => {
  if (entry === undefined) return { ...cached, checkedAt: { ...cached.checkedAt, monotonic: now.monotonic } }
  if (isRemoved(cached, entry, now)) return undefined
  if (entry._tag === "Stored" && isReplacedBy(cached, entry)) return toMemoryToken(entry.token, now, entry)
  return { ...cached, checkedAt: now, isStorable: entry._tag !== "NotStorable" }
}
