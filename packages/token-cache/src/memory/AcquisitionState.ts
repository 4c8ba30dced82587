import * as Duration from "effect/Duration"
import type { OAuthError } from "@secure-mcp/oauth-core"
import type { CacheSlot, RefusedGrant, Removal } from "./CacheSlot.ts"
import type { MemoryToken } from "./MemoryToken.ts"
import { removalStep } from "./RemovalState.ts"

/** How an acquisition ended. */
export type AcquisitionEnd =
  | { readonly _tag: "Obtained"; readonly cached: MemoryToken | undefined }
  | { readonly _tag: "Failed"; readonly error: OAuthError | undefined }
  | { readonly _tag: "Interrupted" }

/** A waiter leaves; true if the acquisition has lost its last one and must be interrupted. */
export const leaveAcquisition = (slot: CacheSlot, acquisitionId: number): readonly [boolean, CacheSlot] => {
  const { acquisition } = slot
  if (acquisition?.id !== acquisitionId) return [false, slot]
  const waiters = acquisition.waiters - 1
  const abandoned = waiters === 0 && !acquisition.background
  return [abandoned, { ...slot, acquisition: { ...acquisition, waiters, abandoned } }]
}

/**
 * An acquisition is about to send a refresh token: it goes on without waiters. The token it renews is cached from now
 * on, so that the next attempt knows it.
 */
export const beginRefresh = (slot: CacheSlot, acquisitionId: number, previous: MemoryToken): CacheSlot => {
  const { acquisition } = slot
  if (acquisition?.id !== acquisitionId) return slot
  const cached = slot.removal === undefined && slot.cached?.token !== previous.token ? previous : slot.cached
  return { ...slot, cached, acquisition: { ...acquisition, background: true } }
}

/** An answer brought a new refresh token, which replaces the previous one whatever becomes of the acquisition. */
export const cacheNewGrant = (
  slot: CacheSlot,
  acquisitionId: number,
  cached: MemoryToken | undefined
): CacheSlot => {
  const { acquisition } = slot
  if (acquisition?.id !== acquisitionId) return slot
  return {
    ...slot,
    cached: slot.removal === undefined ? cached : undefined,
    acquisition: { ...acquisition, background: true, hasNewGrant: true }
  }
}

/** An acquisition ends. A token that was removed in the meantime is not cached. Gives the removal that ended. */
export const endAcquisition = (
  slot: CacheSlot,
  now: number,
  end: AcquisitionEnd
): readonly [Removal | undefined, CacheSlot] => {
  const ended = { ...afterEnd(slot, now, end), acquisition: undefined }
  return slot.removal === undefined
    ? [undefined, ended]
    : removalStep({ ...ended, cached: undefined }, slot.removal)
}

const afterEnd = (slot: CacheSlot, now: number, end: AcquisitionEnd): CacheSlot => {
  switch (end._tag) {
    case "Obtained":
      return { ...slot, cached: end.cached, failures: 0, pausedUntil: 0, refusedGrant: undefined }
    case "Failed": {
      const failures = slot.failures + 1
      return {
        ...slot,
        failures,
        pausedUntil: now + pauseAfter(failures, Duration.seconds(60)),
        refusedGrant: refusedGrantAfter(slot, now, end.error)
      }
    }
    case "Interrupted":
      return slot
  }
}

const refusedGrantAfter = (
  { acquisition, refusedGrant }: CacheSlot,
  now: number,
  error: OAuthError | undefined
): RefusedGrant | undefined => {
  if (acquisition?.hasNewGrant !== true || error === undefined) return refusedGrant
  const count = (refusedGrant?.count ?? 0) + 1
  return { error, count, until: now + pauseAfter(count, Duration.seconds(30)) }
}

/** Milliseconds to leave the authorization server alone after failures: one second, doubling up to the longest. */
const pauseAfter = (failures: number, longest: Duration.Duration): number =>
  Math.min(1000 * 2 ** (failures - 1), Duration.toMillis(longest))
