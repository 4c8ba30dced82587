import type * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import type * as Exit from "effect/Exit"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import type { CachedToken, OAuthError, TokenCacheEntry, TokenKey } from "@secure-mcp/oauth-core"
import { isServable, type HeldToken } from "./HeldToken.ts"

/** What is known about all keys. Never changed in place: every transition gives a new one. */
export interface TokenSlots {
  readonly slots: HashMap.HashMap<string, TokenSlot>
  /** How many slots there may be, not counting those at work and those only memory knows of. */
  readonly capacity: number
  /** Counts uses; the newest use has the highest number. */
  readonly tick: number
}

/** What is known about one key. */
export interface TokenSlot {
  readonly key: TokenKey
  readonly held: HeldToken | undefined
  /** There is never more than one, so that no refresh token is used twice. */
  readonly acquisition: Acquisition | undefined
  readonly removal: Removal | undefined
  /** Failures since the last success, and the monotonic time before which nothing is tried in the background. */
  readonly failures: number
  readonly pausedUntil: number
  readonly lastUsed: number
}

/** A token being obtained. */
export interface Acquisition {
  readonly id: number
  /** Ends with the outcome; never fails itself, so that who only waits for the end can. */
  readonly outcome: Deferred.Deferred<Exit.Exit<CachedToken, OAuthError>>
  readonly waiters: number
  /** It goes on without waiters. */
  readonly background: boolean
  /** All who waited have left and it is being interrupted: too late to join. */
  readonly abandoned: boolean
}

/** A token being forgotten. Until this has ended nobody reads the store or starts an acquisition. */
export interface Removal {
  readonly ended: Deferred.Deferred<void>
  /** How many must end before the removal has: the removal from the store, and the acquisition that was running. */
  readonly pending: number
}

/** How an acquisition came to its end. */
export type Landing =
  /** With a token; `held` is absent if it is of no further use. */
  | { readonly _tag: "Obtained"; readonly held: HeldToken | undefined }
  | { readonly _tag: "Failed" }
  | { readonly _tag: "Interrupted" }

/** Nothing is known yet. */
export const emptySlots = (capacity: number): TokenSlots => ({ slots: HashMap.empty(), capacity, tick: 0 })

/** The slot of a key, as it is at this monotonic time; `expired` if its token has ended since anyone looked. */
export const slotAt = (
  state: TokenSlots,
  id: string,
  key: TokenKey,
  now: number
): { readonly slot: TokenSlot; readonly expired: boolean } => {
  const slot = Option.getOrUndefined(HashMap.get(state.slots, id))
  return slot === undefined ? { slot: emptySlot(key), expired: false } : age(slot, now)
}

const emptySlot = (key: TokenKey): TokenSlot => ({
  key,
  held: undefined,
  acquisition: undefined,
  removal: undefined,
  failures: 0,
  pausedUntil: 0,
  lastUsed: 0
})

const age = (slot: TokenSlot, now: number): { readonly slot: TokenSlot; readonly expired: boolean } => {
  const { held } = slot
  if (held === undefined || now < held.endsAt || isAwaitingRenewal(held)) return { slot, expired: false }
  const left = held.token.refreshToken === undefined ? undefined : { ...held, spent: true }
  return { slot: { ...slot, held: left }, expired: !held.spent }
}

/** It is as old as it gets: only its refresh token counts. */
const isAwaitingRenewal = (held: HeldToken): boolean => held.spent && held.token.refreshToken !== undefined

/** Puts a slot back as the most recently used one. */
export const touch = (state: TokenSlots, id: string, slot: TokenSlot): TokenSlots => {
  const tick = state.tick + 1
  return bounded({ ...put(state, id, { ...slot, lastUsed: tick }), tick }, id)
}

const put = (state: TokenSlots, id: string, slot: TokenSlot): TokenSlots => ({
  ...state,
  slots:
    slot.held === undefined && !isAtWork(slot)
      ? HashMap.remove(state.slots, id)
      : HashMap.set(state.slots, id, slot)
})

const isAtWork = (slot: TokenSlot): boolean => slot.acquisition !== undefined || slot.removal !== undefined

/** Nobody else has its refresh token. */
const isIrreplaceable = ({ held }: TokenSlot): boolean =>
  held?.unstored !== undefined && held.token.refreshToken !== undefined

const bounded = (state: TokenSlots, justUsed: string): TokenSlots => {
  let { slots } = state
  while (HashMap.size(slots) > state.capacity) {
    const least = leastRecentlyUsed(slots, justUsed)
    if (least === undefined) break
    slots = HashMap.remove(slots, least)
  }
  return slots === state.slots ? state : { ...state, slots }
}

const leastRecentlyUsed = (
  slots: HashMap.HashMap<string, TokenSlot>,
  justUsed: string
): string | undefined => {
  let least: string | undefined
  let oldest = Infinity
  for (const [id, slot] of slots) {
    if (slot.lastUsed >= oldest || isAtWork(slot) || isIrreplaceable(slot) || id === justUsed) continue
    least = id
    oldest = slot.lastUsed
  }
  return least
}

/** A waiter leaves; true if the acquisition has lost its last one and must be interrupted. */
export const leave = (
  state: TokenSlots,
  id: string,
  acquisitionId: number
): readonly [boolean, TokenSlots] => {
  const slot = Option.getOrUndefined(HashMap.get(state.slots, id))
  if (slot?.acquisition?.id !== acquisitionId) return [false, state]
  const waiters = slot.acquisition.waiters - 1
  const abandoned = waiters === 0 && !slot.acquisition.background
  return [abandoned, put(state, id, { ...slot, acquisition: { ...slot.acquisition, waiters, abandoned } })]
}

/**
 * An acquisition has come so far that it goes on without waiters. What it renews is held from now on, so that a
 * renewal that fails is remembered as one of this very token.
 */
export const commit = (
  state: TokenSlots,
  id: string,
  acquisitionId: number,
  previous: HeldToken
): TokenSlots => {
  const slot = Option.getOrUndefined(HashMap.get(state.slots, id))
  if (slot?.acquisition?.id !== acquisitionId) return state
  const held = slot.removal === undefined && slot.held?.token !== previous.token ? previous : slot.held
  return put(state, id, { ...slot, held, acquisition: { ...slot.acquisition, background: true } })
}

/** The tokens that the store does not have. */
export const unstored = (state: TokenSlots): ReadonlyArray<readonly [string, HeldToken]> =>
  Array.from(state.slots).flatMap(([id, { held }]) =>
    held?.unstored === undefined ? [] : [[id, held] as const]
  )

/** The store has a token now (`held`: without `unstored`), or a later one (none), if it is still the one in memory. */
export const stored = (
  state: TokenSlots,
  id: string,
  before: HeldToken,
  held: HeldToken | undefined
): TokenSlots => {
  const slot = Option.getOrUndefined(HashMap.get(state.slots, id))
  return slot?.held === before ? put(state, id, { ...slot, held }) : state
}

/** An acquisition ends. A token that was invalidated in the meantime is not kept; gives the removal that ended. */
export const land = (
  state: TokenSlots,
  id: string,
  now: number,
  landing: Landing
): readonly [Removal | undefined, TokenSlots] => {
  const slot = Option.getOrUndefined(HashMap.get(state.slots, id))
  if (slot === undefined) return [undefined, state]
  const landed = landSlot({ ...slot, acquisition: undefined }, now, landing)
  if (slot.removal !== undefined)
    return finishRemoval(state, id, { ...landed, held: undefined }, slot.removal)
  return [undefined, touch(state, id, landed)]
}

const landSlot = (slot: TokenSlot, now: number, landing: Landing): TokenSlot => {
  switch (landing._tag) {
    case "Obtained":
      return { ...slot, held: landing.held, failures: 0, pausedUntil: 0 }
    case "Failed": {
      const failures = slot.failures + 1
      return { ...slot, failures, pausedUntil: now + Duration.toMillis(pauseAfter(failures)) }
    }
    case "Interrupted":
      return slot
  }
}

/** How long to leave the authorization server alone after failures while the token still serves: 1 s doubling to 60 s. */
export const pauseAfter = (failures: number): Duration.Duration =>
  Duration.seconds(Math.min(2 ** (failures - 1), 60))

/** What an invalidation found. */
export interface Begun {
  readonly held: HeldToken | undefined
  /** Another invalidation is at work already and gets the token. */
  readonly already: boolean
}

/** The token of a key is forgotten at once, and nothing that is on its way takes its place. */
export const beginRemoval = (
  state: TokenSlots,
  id: string,
  key: TokenKey,
  ended: Deferred.Deferred<void>
): readonly [Begun, TokenSlots] => {
  const slot = Option.getOrElse(HashMap.get(state.slots, id), () => emptySlot(key))
  if (slot.removal !== undefined) return [{ held: undefined, already: true }, state]
  const pending = slot.acquisition === undefined ? 1 : 2
  const removal = { ended, pending }
  return [{ held: slot.held, already: false }, put(state, id, { ...slot, held: undefined, removal })]
}

/** The token has left the store; gives the removal if that was its last step. */
export const endRemoval = (state: TokenSlots, id: string): readonly [Removal | undefined, TokenSlots] => {
  const slot = Option.getOrUndefined(HashMap.get(state.slots, id))
  return slot?.removal === undefined ? [undefined, state] : finishRemoval(state, id, slot, slot.removal)
}

const finishRemoval = (
  state: TokenSlots,
  id: string,
  slot: TokenSlot,
  { ended, pending }: Removal
): readonly [Removal | undefined, TokenSlots] =>
  pending === 1
    ? [{ ended, pending: 0 }, put(state, id, { ...slot, removal: undefined })]
    : [undefined, put(state, id, { ...slot, removal: { ended, pending: pending - 1 } })]

/** Whether the token of a key is being forgotten. */
export const isBeingRemoved = (state: TokenSlots, id: string): boolean =>
  Option.exists(HashMap.get(state.slots, id), (slot) => slot.removal !== undefined)

/** Lets go of what has ended; gives the keys whose token ran out. */
export const sweep = (state: TokenSlots, now: number): readonly [ReadonlyArray<TokenKey>, TokenSlots] => {
  const expired: Array<TokenKey> = []
  let swept = state
  for (const [id, slot] of state.slots) {
    const aged = age(slot, now)
    if (aged.slot !== slot) swept = put(swept, id, aged.slot)
    if (aged.expired) expired.push(slot.key)
  }
  return [expired, swept]
}

/** Whether there is a token that `sweep` will find one day. */
export const mayEnd = ({ slots }: TokenSlots): boolean =>
  HashMap.some(slots, ({ held }) => held !== undefined && held.endsAt < Infinity && !isAwaitingRenewal(held))

/** The tokens in memory that may be served at this monotonic time. */
export const servable = (state: TokenSlots, now: number): ReadonlyArray<TokenCacheEntry> =>
  Array.from(HashMap.values(state.slots)).flatMap(({ held, key }) =>
    held !== undefined && isServable(held, now) ? [{ key, token: held.token }] : []
  )

/** Whether memory knows better than the store what became of a key's token. */
export const isKnown = (state: TokenSlots, id: string): boolean =>
  Option.exists(HashMap.get(state.slots, id), (slot) => slot.held !== undefined || slot.removal !== undefined)
