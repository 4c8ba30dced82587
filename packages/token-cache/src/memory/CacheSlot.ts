import type * as Deferred from "effect/Deferred"
import type * as Exit from "effect/Exit"
import type {
  CachedToken,
  OAuthError,
  StoreUnavailable,
  TokenCacheEntry,
  TokenKey
} from "@secure-mcp/oauth-core"
import { isServable, type MemoryToken } from "./MemoryToken.ts"

/** What is known about one key. Never changed in place: every transition gives a new one. */
export interface CacheSlot {
  readonly key: TokenKey
  readonly cached: MemoryToken | undefined
  /** There is never more than one, so that no refresh token is used twice. */
  readonly acquisition: Acquisition | undefined
  readonly removal: Removal | undefined
  /** A look into the store that is under way. */
  readonly storeCheck: Deferred.Deferred<void> | undefined
  /** Failures since the last success, and the monotonic time before which nothing is tried in the background. */
  readonly failures: number
  readonly pausedUntil: number
  readonly refusedGrant: RefusedGrant | undefined
}

/** A token being obtained, or stored for a caller who has it. */
export interface Acquisition {
  readonly id: number
  /** Ends with the outcome. Does not fail itself, so that a caller can wait for the end alone. */
  readonly outcome: Deferred.Deferred<Exit.Exit<Obtained, OAuthError>>
  readonly waiters: number
  /** It goes on without waiters. */
  readonly background: boolean
  /** All waiters were interrupted and so will it be: too late to join. */
  readonly abandoned: boolean
  /** The server has given a new refresh token, whatever becomes of the access token. */
  readonly hasNewGrant: boolean
}

/** What an acquisition ends with. */
export interface Obtained {
  /** For the callers who wait. Undefined after a `put` of a token that must not be served: they ask again. */
  readonly answer: CachedToken | undefined
  /** The token for memory; undefined if it is of no further use. */
  readonly cached: MemoryToken | undefined
  /** It replaces no other token: the client obtained its first one, or it came from elsewhere (`put`). */
  readonly isFirst?: boolean
  /** Why the store does not have it; undefined if it has. */
  readonly storeProblem?: StoreUnavailable | undefined
}

/**
 * The server answers, but with access tokens that must not be served (less scope than asked for, bound to another
 * certificate). Until `until` every caller gets the same error, so that such a server is not asked again and again.
 */
export interface RefusedGrant {
  readonly error: OAuthError
  readonly count: number
  /** On the monotonic clock. */
  readonly until: number
}

/** A token being removed. Until this has ended no caller reads the store or starts an acquisition. */
export interface Removal {
  readonly ended: Deferred.Deferred<void>
  /** How many must end before the removal has: the removal from the store, and the acquisition that was running. */
  readonly pending: number
}

/** Nothing is known about a key yet. */
export const emptySlot = (key: TokenKey): CacheSlot => ({
  key,
  cached: undefined,
  acquisition: undefined,
  removal: undefined,
  storeCheck: undefined,
  failures: 0,
  pausedUntil: 0,
  refusedGrant: undefined
})

/** Whether nothing is known about the key: it need not be remembered. */
export const isEmpty = (slot: CacheSlot): boolean => slot.cached === undefined && !isAtWork(slot)

/** Whether the slot may leave: not while there is work in progress, nor while only this process has the refresh token. */
export const isEvictable = (slot: CacheSlot): boolean => !isAtWork(slot) && !isIrreplaceable(slot)

/** Whether a token is being obtained or removed. */
const isAtWork = ({ acquisition, removal }: CacheSlot): boolean =>
  acquisition !== undefined || removal !== undefined

const isIrreplaceable = ({ cached }: CacheSlot): boolean =>
  cached?.pendingWrite !== undefined && cached.token.refreshToken !== undefined

/** Whether the token of a key is being removed. */
export const isBeingRemoved = ({ removal }: CacheSlot): boolean => removal !== undefined

/** Whether memory knows better than the store what became of a key's token. */
export const isKnown = ({ cached, removal }: CacheSlot): boolean =>
  cached !== undefined || removal !== undefined

/** The tokens in memory that may be served at this monotonic time. */
export const servableTokens = (slots: Iterable<CacheSlot>, now: number): ReadonlyArray<TokenCacheEntry> => {
  const entries: Array<TokenCacheEntry> = []
  for (const { cached, key } of slots)
    if (cached !== undefined && isServable(cached, now)) entries.push({ key, token: cached.token })
  return entries
}
