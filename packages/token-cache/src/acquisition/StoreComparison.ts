import type { OAuthToken, TokenCacheRequest } from "@secure-mcp/oauth-core"
import type { Lead } from "../memory/Decision.ts"
import { isRemoved, isReplacedBy, toMemoryToken, type MemoryToken } from "../memory/MemoryToken.ts"
import type { Moment } from "../memory/Moment.ts"
import { isBeforeRenewal } from "../memory/RenewalTime.ts"
import type { StoreEntry } from "../store/StoreEntry.ts"

/** What the store's answer means for an acquisition. */
export type Comparison = ServeStored | Renew

/** Another process has stored a token that satisfies the request: acquire nothing. */
export interface ServeStored {
  readonly _tag: "ServeStored"
  readonly cached: MemoryToken
}

/** A token has to be acquired. */
export interface Renew {
  readonly _tag: "Renew"
  /** The token to renew, in memory or in the store, whichever is newer; undefined if there is none. */
  readonly previous: MemoryToken | undefined
  /** The store still offers a token that was refused. */
  readonly refused: OAuthToken | undefined
  /** The token in memory was removed from the store, and must not be used. */
  readonly isRemoved: boolean
}

/** What else is known of the store's answer. */
export interface ComparisonOptions {
  /** True if another process stored this token after the request began, so it satisfies even `forceRefresh`. */
  readonly isNew?: boolean
  /** When the store was asked, on the monotonic clock. */
  readonly askedAt?: number
}

/**
 * Compares the store's answer with the token in memory. The store's token is preferred, because other processes store
 * theirs there, unless memory has one that is newer and not yet stored. Step `compare` of docs/models/renewal.pml, and
 * part of its step `read`.
 *
 * @param entry undefined if the store could not be read
 */
export const compareWithStore = (
  entry: StoreEntry | undefined,
  { acquisition, cached }: Lead,
  request: TokenCacheRequest,
  now: Moment,
  { askedAt, isNew = false }: ComparisonOptions = {}
): Comparison => {
  if (entry === undefined) return renew(cached)
  if (entry._tag !== "Stored")
    return cached !== undefined && isRemoved(cached, entry, now)
      ? { ...renew(undefined), isRemoved: true }
      : renew(cached)
  const { token } = entry
  const refused = token.reusable && isRefused(token, cached, request, now) ? token : undefined
  if (cached !== undefined && !isReplacedBy(cached, entry)) return { ...renew(cached), refused }
  const stored = toMemoryToken(token, now, { ...entry, askedAt })
  const satisfies =
    refused === undefined &&
    stored.mayServe &&
    (request.forceRefresh !== true || isNew) &&
    (request.insufficient === undefined || !token.isAccessToken(request.insufficient)) &&
    (!acquisition.background || isBeforeRenewal(stored, now.monotonic, request.expiryBuffer))
  return satisfies
    ? { _tag: "ServeStored", cached: stored }
    : { ...renew(refused === undefined ? stored : { ...stored, mayServe: false }), refused }
}

const renew = (previous: MemoryToken | undefined): Renew => ({
  _tag: "Renew",
  previous,
  refused: undefined,
  isRemoved: false
})

/** The request says so, or memory remembers it of an earlier one. */
const isRefused = (
  stored: OAuthToken,
  cached: MemoryToken | undefined,
  { refused }: TokenCacheRequest,
  now: Moment
): boolean =>
  (refused !== undefined && stored.isAccessToken(refused)) ||
  (cached !== undefined &&
    !cached.mayServe &&
    now.monotonic < cached.expiresAt &&
    stored.isSame(cached.token))
