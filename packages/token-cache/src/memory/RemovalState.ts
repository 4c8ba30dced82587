import type * as Deferred from "effect/Deferred"
import type { Acquisition, CacheSlot, Removal } from "./CacheSlot.ts"
import type { MemoryToken } from "./MemoryToken.ts"

/** The token of a key is removed at once, and no acquisition that is under way takes its place. */
export const beginRemoval = (
  slot: CacheSlot,
  ended: Deferred.Deferred<void>
): readonly [RemovalStart, CacheSlot] => {
  if (slot.removal !== undefined) return [{ _tag: "AlreadyRemoving", removal: slot.removal }, slot]
  const removal = { ended, pending: slot.acquisition === undefined ? 1 : 2 }
  const start: RemovalStart = { _tag: "Removing", cached: slot.cached }
  return [start, { ...slot, cached: undefined, refusedGrant: undefined, removal }]
}

/** The same, once no acquisition is under way. */
export const beginExclusiveRemoval = (
  slot: CacheSlot,
  ended: Deferred.Deferred<void>
): readonly [RemovalStart | AcquisitionRunning, CacheSlot] =>
  slot.acquisition === undefined
    ? beginRemoval(slot, ended)
    : [{ _tag: "AcquisitionRunning", acquisition: slot.acquisition }, slot]

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
  slot: CacheSlot,
  putBack?: MemoryToken
): readonly [Removal | undefined, CacheSlot] =>
  slot.removal === undefined
    ? [undefined, slot]
    : removalStep({ ...slot, cached: slot.cached ?? putBack }, slot.removal)

/** One step of a removal has ended. Gives the removal if that was its last one. */
export const removalStep = (
  slot: CacheSlot,
  { ended, pending }: Removal
): readonly [Removal | undefined, CacheSlot] =>
  pending === 1
    ? [
        { ended, pending: 0 },
        { ...slot, removal: undefined }
      ]
    : [undefined, { ...slot, removal: { ended, pending: pending - 1 } }]
