import type { TokenKey } from "@secure-mcp/oauth-core"
import type { StoreEntry } from "../store/StoreEntry.ts"
import type { CacheSlot } from "./CacheSlot.ts"
import { isRemoved, isReplacedBy, toMemoryToken, type MemoryToken, type PendingWrite } from "./MemoryToken.ts"
import type { Moment } from "./Moment.ts"

/** The store says that this token was removed: it is not used any more, unless another one has replaced it. */
export const dropRemoved = (slot: CacheSlot, removed: MemoryToken | undefined): CacheSlot =>
  slot.cached === undefined || slot.cached.token !== removed?.token
    ? slot
    : { ...slot, cached: undefined, refusedGrant: undefined }

/** A token that the store does not have yet. */
export interface PendingToken {
  readonly key: TokenKey
  readonly cached: MemoryToken
  readonly pendingWrite: PendingWrite
}

/** The tokens that the store does not have yet. */
export const pendingTokens = (slots: Iterable<CacheSlot>): ReadonlyArray<PendingToken> => {
  const pending: Array<PendingToken> = []
  for (const { cached, key } of slots)
    if (cached?.pendingWrite !== undefined) pending.push({ key, cached, pendingWrite: cached.pendingWrite })
  return pending
}

/**
 * A pending write has ended.
 *
 * @param revision that of the write; undefined if the store has a later token, or the token was removed
 */
export const endPendingWrite = (
  slot: CacheSlot,
  written: MemoryToken,
  revision: number | undefined,
  now: Moment
): CacheSlot => {
  if (slot.cached?.token !== written.token) return slot
  const cached =
    revision === undefined
      ? undefined
      : { ...written, pendingWrite: undefined, revision, checkedAt: now, askedAt: undefined }
  return { ...slot, cached }
}

/**
 * The store was asked about a token in memory. A removed token is dropped, another process's token takes its place, and
 * any other one is good until the next look.
 *
 * @param entry undefined if the store did not answer: that is no removal
 * @param asked when the store was asked
 * @returns whether the token was removed
 */
export const endStoreCheck = (
  slot: CacheSlot,
  checked: MemoryToken,
  entry: StoreEntry | undefined,
  asked: Moment,
  now: Moment
): readonly [wasRemoved: boolean, CacheSlot] => {
  const idle = endUnchangedCheck(slot)
  // Another token has come meanwhile, of which the answer says nothing.
  if (slot.cached === undefined || slot.cached.token !== checked.token) return [false, idle]
  const cached = afterStoreCheck(slot.cached, entry, asked, now)
  return [cached === undefined, { ...idle, cached }]
}

/** By the changes of the store there was nothing to ask. */
export const endUnchangedCheck = (slot: CacheSlot): CacheSlot => ({ ...slot, storeCheck: undefined })

const afterStoreCheck = (
  cached: MemoryToken,
  entry: StoreEntry | undefined,
  { monotonic: askedAt }: Moment,
  now: Moment
): MemoryToken | undefined => {
  if (entry === undefined)
    return {
      ...cached,
      checkedAt: { ...cached.checkedAt, monotonic: now.monotonic },
      askedAt: undefined
    }
  if (isRemoved(cached, entry, now)) return undefined
  if (entry._tag === "Stored" && isReplacedBy(cached, entry))
    return toMemoryToken(entry.token, now, { ...entry, askedAt })
  return { ...cached, checkedAt: now, askedAt, isStorable: entry._tag !== "NotStorable" }
}
