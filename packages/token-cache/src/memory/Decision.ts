import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { OAuthError, OAuthToken, TokenCacheRequest } from "@secure-mcp/oauth-core"
import type { Acquisition, CacheSlot } from "./CacheSlot.ts"
import type { ChangeHistory } from "./ChangeHistory.ts"
import { expire } from "./Expiry.ts"
import { isServable, type MemoryToken } from "./MemoryToken.ts"
import { isBeforeRenewal } from "./RenewalTime.ts"

/** A request for the token of a key, with what it needs if it has to do the work itself. */
export interface DecisionRequest extends Omit<TokenCacheRequest, "key" | "acquire"> {
  /** How long a token may be served without a look into the store. */
  readonly storeCheckInterval: Duration.Duration
  /** What the changes of the store say about a token; undefined if it does not tell them. */
  readonly confirm?: ChangeHistory["confirm"] | undefined
  /** The id of the acquisition that the request may have to start. */
  readonly acquisitionId: number
}

/** What a caller has to do. */
export type Decision = {
  /** The token in memory has expired since the last look. */
  readonly expired: boolean
} & (Hit | Join | Lead | Wait | CheckStore | Fail)

/** Serve this token now. Start the renewal and the look into the store, if they are there, in the background. */
export interface Hit {
  readonly _tag: "Hit"
  readonly token: OAuthToken
  readonly renewal: Lead | undefined
  readonly storeCheck: CheckStore | undefined
}

/** Wait for an acquisition that another caller leads. */
export interface Join {
  readonly _tag: "Join"
  readonly acquisition: Acquisition
}

/** Start an acquisition, for others as well. */
export interface Lead {
  readonly _tag: "Lead"
  readonly acquisition: Acquisition
  /** The token in memory, to be replaced. */
  readonly cached: MemoryToken | undefined
}

/** Nobody can join what is going on: wait for its end, and ask again. */
export interface Wait {
  readonly _tag: "Wait"
  readonly end: Effect.Effect<unknown>
}

/** Ask the store whether the token in memory was removed or replaced, and ask again. */
export interface CheckStore {
  readonly _tag: "CheckStore"
  readonly cached: MemoryToken
  readonly done: Deferred.Deferred<void>
}

/** The server's last answers could not be used, and it is too early to ask it again. */
export interface Fail {
  readonly _tag: "Fail"
  readonly error: OAuthError
}

/**
 * Decides for one request at a monotonic time, and says what is known afterwards. Pure, so that it can be one atomic
 * transition.
 */
export const decide = (
  slot: CacheSlot,
  now: number,
  request: DecisionRequest
): readonly [Decision, CacheSlot] => {
  const current = expire(slot, now)
  const [choice, chosen] = choose(withoutRefused(confirmed(current.slot, request), request), now, request)
  return [{ ...choice, expired: current.expired }, chosen]
}

/**
 * The token that a request without wishes is served from this slot, if `decide` would have nothing else to do for it; a slot
 * that is read for this does not change.
 */
export const tokenAtHand = (
  slot: CacheSlot,
  now: number,
  request: Pick<DecisionRequest, "expiryBuffer" | "storeCheckInterval" | "confirm">
): OAuthToken | undefined => {
  const { cached, removal } = slot
  return cached !== undefined &&
    removal === undefined &&
    isServable(cached, now) &&
    storeCheckOf(slot, cached, now, request) === "None" &&
    !isRenewalDue(slot, cached, now, request)
    ? cached.token
    : undefined
}

/** The changes of the store are as good as a look at this token. */
const confirmed = (slot: CacheSlot, { confirm }: DecisionRequest): CacheSlot => {
  const confirmation = slot.cached && confirm?.(slot.key, slot.cached)
  return slot.cached === undefined || confirmation === undefined
    ? slot
    : { ...slot, cached: { ...slot.cached, ...confirmation } }
}

const withoutRefused = (slot: CacheSlot, { refused }: DecisionRequest): CacheSlot =>
  refused !== undefined && slot.cached?.mayServe === true && slot.cached.token.isAccessToken(refused)
    ? { ...slot, cached: { ...slot.cached, mayServe: false } }
    : slot

type Choice = readonly [Hit | Join | Lead | Wait | CheckStore | Fail, CacheSlot]

const choose = (slot: CacheSlot, now: number, request: DecisionRequest): Choice => {
  const { acquisition, cached, refusedGrant, removal } = slot
  if (removal !== undefined) return [{ _tag: "Wait", end: Deferred.await(removal.ended) }, slot]
  if (cached !== undefined && isWanted(cached, request) && isServable(cached, now))
    return serveOrCheck(slot, cached, now, request)
  if (acquisition === undefined)
    return refusedGrant !== undefined && now < refusedGrant.until
      ? [{ _tag: "Fail", error: refusedGrant.error }, slot]
      : lead(slot, request, "foreground")
  if (acquisition.abandoned) return [{ _tag: "Wait", end: Deferred.await(acquisition.outcome) }, slot]
  const joined = { ...acquisition, waiters: acquisition.waiters + 1 }
  return [
    { _tag: "Join", acquisition: joined },
    { ...slot, acquisition: joined }
  ]
}

const isWanted = ({ token }: MemoryToken, { forceRefresh, insufficient }: DecisionRequest): boolean =>
  forceRefresh !== true && (insufficient === undefined || !token.isAccessToken(insufficient))

const serveOrCheck = (
  slot: CacheSlot,
  cached: MemoryToken,
  now: number,
  request: DecisionRequest
): Choice => {
  const kind = storeCheckOf(slot, cached, now, request)
  if (kind === "None") return serve(slot, cached, now, request, undefined)
  if (slot.storeCheck !== undefined) return [{ _tag: "Wait", end: Deferred.await(slot.storeCheck) }, slot]
  const done = Deferred.makeUnsafe<void>()
  const check: CheckStore = { _tag: "CheckStore", cached, done }
  const checking = { ...slot, storeCheck: done }
  return kind === "First" ? [check, checking] : serve(checking, cached, now, request, check)
}

/**
 * Whether the store is asked about a token before it is served (`First`), in the background, or not at all. Half an
 * interval after the last look it is asked in the background. After a whole one the caller waits for that, so that a token
 * that was removed by another process is not served longer than the interval.
 */
const storeCheckOf = (
  { key, storeCheck }: CacheSlot,
  cached: MemoryToken,
  now: number,
  { confirm, storeCheckInterval }: Pick<DecisionRequest, "storeCheckInterval" | "confirm">
): "First" | "Background" | "None" => {
  const interval = Duration.toMillis(storeCheckInterval)
  if (!cached.isStorable || now - cached.checkedAt.monotonic < interval / 2) return "None"
  const { checkedAt } = confirm?.(key, cached) ?? cached
  const age = now - checkedAt.monotonic
  if (age >= interval) return "First"
  return age >= interval / 2 && storeCheck === undefined ? "Background" : "None"
}

const serve = (
  slot: CacheSlot,
  cached: MemoryToken,
  now: number,
  request: DecisionRequest,
  storeCheck: CheckStore | undefined
): readonly [Hit, CacheSlot] => {
  const hit: Hit = { _tag: "Hit", token: cached.token, renewal: undefined, storeCheck }
  if (!isRenewalDue(slot, cached, now, request)) return [hit, slot]
  const [renewal, renewing] = lead(slot, request, "background")
  return [{ ...hit, renewal }, renewing]
}

const isRenewalDue = (
  { acquisition, pausedUntil, refusedGrant }: CacheSlot,
  cached: MemoryToken,
  now: number,
  { expiryBuffer }: Pick<DecisionRequest, "expiryBuffer">
): boolean =>
  acquisition === undefined &&
  now >= pausedUntil &&
  (refusedGrant === undefined || now >= refusedGrant.until) &&
  !isBeforeRenewal(cached, now, expiryBuffer)

const lead = (
  slot: CacheSlot,
  { acquisitionId }: DecisionRequest,
  place: "foreground" | "background"
): readonly [Lead, CacheSlot] => {
  const background = place === "background"
  const acquisition: Acquisition = {
    id: acquisitionId,
    outcome: Deferred.makeUnsafe(),
    waiters: background ? 0 : 1,
    background,
    abandoned: false,
    hasNewGrant: false
  }
  return [
    { _tag: "Lead", acquisition, cached: slot.cached },
    { ...slot, acquisition }
  ]
}
