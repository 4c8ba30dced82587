import * as Deferred from "effect/Deferred"
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type { CachedToken, OAuthError, OAuthToken, TokenCacheRequest } from "@secure-mcp/oauth-core"
import { isFresh, isServable, type HeldToken } from "./HeldToken.ts"
import { slotAt, touch, type Acquisition, type TokenSlot, type TokenSlots } from "./TokenSlots.ts"

/** A request, with the place for the outcome if it is to lead an acquisition. */
export interface Asked extends Omit<TokenCacheRequest, "acquire"> {
  /** The key as a string. */
  readonly id: string
  readonly outcome: Deferred.Deferred<Exit.Exit<CachedToken, OAuthError>>
}

/** What a caller has to do. */
export type Decision = {
  /** The token that was held has run out since anyone looked. */
  readonly expired: boolean
} & (Hit | Join | Lead | Wait)

/** Serve this token now and, if `renewal` is there, start it in the background. */
export interface Hit {
  readonly _tag: "Hit"
  readonly token: OAuthToken
  readonly renewal: Lead | undefined
}

/** Wait for an acquisition that somebody else leads. */
export interface Join {
  readonly _tag: "Join"
  readonly acquisition: Acquisition
}

/** Start an acquisition, for others as well. */
export interface Lead {
  readonly _tag: "Lead"
  readonly acquisition: Acquisition
  /** The token to be replaced. */
  readonly held: HeldToken | undefined
}

/** Nobody can join what is going on: let it end, and ask again. */
export interface Wait {
  readonly _tag: "Wait"
  readonly end: Effect.Effect<unknown>
}

/**
 * Hit, join or lead: decides for one request at a monotonic time, and says what is known afterwards. Pure, so that
 * it can be one atomic transition.
 */
export const decide = (state: TokenSlots, now: number, asked: Asked): readonly [Decision, TokenSlots] => {
  const { slot, expired } = slotAt(state, asked.id, asked.key, now)
  const known = withoutRefused(slot, asked)
  const acquisitionId = state.tick + 1
  const [choice, chosen] = choose(known, now, asked, acquisitionId)
  // A hit on the token that was used last, the most frequent case by far, changes nothing.
  const unchanged = chosen === slot && !expired && slot.lastUsed === state.tick && slot.lastUsed > 0
  return [{ ...choice, expired }, unchanged ? state : touch(state, asked.id, chosen)]
}

const withoutRefused = (slot: TokenSlot, { refused }: Asked): TokenSlot =>
  refused !== undefined && slot.held?.token.isAccessToken(refused) === true && !slot.held.spent
    ? { ...slot, held: { ...slot.held, spent: true } }
    : slot

const choose = (
  slot: TokenSlot,
  now: number,
  asked: Asked,
  acquisitionId: number
): readonly [Hit | Join | Lead | Wait, TokenSlot] => {
  const { acquisition, held, removal } = slot
  if (removal !== undefined) return [{ _tag: "Wait", end: Deferred.await(removal.ended) }, slot]
  if (held !== undefined && isWanted(held, asked) && isServable(held, now))
    return serve(slot, held, now, asked, acquisitionId)
  if (acquisition === undefined) return lead(slot, asked, acquisitionId, "foreground")
  if (acquisition.abandoned) return [{ _tag: "Wait", end: Deferred.await(acquisition.outcome) }, slot]
  const joined = { ...acquisition, waiters: acquisition.waiters + 1 }
  return [
    { _tag: "Join", acquisition: joined },
    { ...slot, acquisition: joined }
  ]
}

const isWanted = ({ token }: HeldToken, { forceRefresh, insufficient }: Asked): boolean =>
  forceRefresh !== true && (insufficient === undefined || !token.isAccessToken(insufficient))

const serve = (
  slot: TokenSlot,
  held: HeldToken,
  now: number,
  asked: Asked,
  acquisitionId: number
): readonly [Hit, TokenSlot] => {
  const renew =
    slot.acquisition === undefined && now >= slot.pausedUntil && !isFresh(held, now, asked.expiryBuffer)
  if (!renew) return [{ _tag: "Hit", token: held.token, renewal: undefined }, slot]
  const [renewal, renewing] = lead(slot, asked, acquisitionId, "background")
  return [{ _tag: "Hit", token: held.token, renewal }, renewing]
}

const lead = (
  slot: TokenSlot,
  asked: Asked,
  id: number,
  place: "foreground" | "background"
): readonly [Lead, TokenSlot] => {
  const background = place === "background"
  const acquisition = {
    id,
    outcome: asked.outcome,
    waiters: background ? 0 : 1,
    background,
    abandoned: false
  }
  return [
    { _tag: "Lead", acquisition, held: slot.held },
    { ...slot, acquisition }
  ]
}
