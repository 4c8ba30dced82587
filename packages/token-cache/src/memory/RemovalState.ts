import type * as Deferred from "effect/Deferred"
import type { TokenKey } from "@secure-mcp/oauth-core"
import {
  emptySlot,
  slotOf,
  type Acquisition,
  type CacheSlot,
  type CacheState,
  type Removal
} from "./CacheState.ts"
import { putSlot } from "./Eviction.ts"
import type { MemoryToken } from "./MemoryToken.ts"

/** The token of a key is removed at once, and no acquisition that is under way takes its place. */
export const beginRemoval = (
  state: CacheState,
  id: string,
  key: TokenKey,
  ended: Deferred.Deferred<void>
): readonly [RemovalStart, CacheState] => {
  const slot = slotOf(state, id) ?? emptySlot(key)
  if (slot.removal !== undefined) return [{ _tag: "AlreadyRemoving", removal: slot.removal }, state]
  const removal = { ended, pending: slot.acquisition === undefined ? 1 : 2 }
  const start: RemovalStart = { _tag: "Removing", cached: slot.cached }
  return [start, putSlot(state, id, { ...slot, cached: undefined, refusedGrant: undefined, removal })]
}

/** The same, once no acquisition is under way. */
export const beginExclusiveRemoval = (
  state: CacheState,
  id: string,
  key: TokenKey,
  ended: Deferred.Deferred<void>
): readonly [RemovalStart | AcquisitionRunning, CacheState] => {
  const acquisition = slotOf(state, id)?.acquisition
  return acquisition === undefined
    ? beginRemoval(state, id, key, ended)
    : [{ _tag: "AcquisitionRunning", acquisition }, state]
}

/** What the caller who wants to remove a token finds. */
export type RemovalStart =
  /** It is this caller's turn; `cached` was in memory. */
  | { readonly _tag: "Removing"; readonly cached: MemoryToken | undefined }
  /** Another caller removes it, and gets the token. */
  | { readonly _tag: "AlreadyRemoving"; readonly removal: Removal }

export interface AcquisitionRunning {
  readonly _tag: "AcquisitionRunning"
  readonly acquisition: Acquisition
}

/**
 * The removal from the store has ended. Gives the removal if that was its last step.
 *
 * @param putBack the token that goes back into memory because the store could not remove it
 */
export const endRemoval = (
  state: CacheState,
  id: string,
  putBack?: MemoryToken
): readonly [Removal | undefined, CacheState] => {
  const slot = slotOf(state, id)
  return slot?.removal === undefined
    ? [undefined, state]
    : removalStep(state, id, { ...slot, cached: slot.cached ?? putBack }, slot.removal)
}

/** One step of a removal has ended. Gives the removal if that was its last one. */
export const removalStep = (
  state: CacheState,
  id: string,
  slot: CacheSlot,
  { ended, pending }: Removal
): readonly [Removal | undefined, CacheState] =>
  pending === 1
    ? [{ ended, pending: 0 }, putSlot(state, id, { ...slot, removal: undefined })]
    : [undefined, putSlot(state, id, { ...slot, removal: { ended, pending: pending - 1 } })]

/** Whether the token of a key is being removed. */
export const isBeingRemoved = (state: CacheState, id: string): boolean =>
  slotOf(state, id)?.removal !== undefined
