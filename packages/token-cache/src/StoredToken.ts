import type { OAuthToken, TokenCacheRequest } from "@secure-mcp/oauth-core"
import type { Lead } from "./Decision.ts"
import { hold, isFresh, isSameAccessToken, type HeldToken, type Moment } from "./HeldToken.ts"

/** What a store's answer means to the leader of an acquisition. */
export interface Consulted {
  /** The store has a better token than memory (another process put it there): take it, acquire nothing. */
  readonly adopted: HeldToken | undefined
  /** The token to renew, if one has to be acquired. */
  readonly previous: OAuthToken | undefined
  /** The store still offers a token that was refused. */
  readonly refused: OAuthToken | undefined
}

/**
 * Weighs the token of the store against the one in memory. The store's counts, because other processes write it, too;
 * unless memory has one that could not be written and is newer.
 *
 * @param isNew another process has put it there since this request looked: as new as anybody can want it
 */
export const consult = (
  stored: OAuthToken | undefined,
  { acquisition, held }: Lead,
  request: TokenCacheRequest,
  now: Moment,
  isNew = false
): Consulted => {
  if (stored === undefined) return { adopted: undefined, previous: held?.token, refused: undefined }
  const refused = stored.reusable && isRefused(stored, held, request, now) ? stored : undefined
  if (held !== undefined && !isBetter(stored, held))
    return { adopted: undefined, previous: held.token, refused }
  const candidate = hold(stored, now)
  const wanted =
    refused === undefined &&
    !candidate.spent &&
    (request.forceRefresh !== true || isNew) &&
    (request.insufficient === undefined || !stored.isAccessToken(request.insufficient)) &&
    (!acquisition.background || isFresh(candidate, now.monotonic, request.expiryBuffer))
  return { adopted: wanted ? candidate : undefined, previous: stored, refused }
}

const isBetter = (stored: OAuthToken, { token, unstored }: HeldToken): boolean =>
  !isSameAccessToken(stored, token) && (unstored === undefined || stored.issuedAt > token.issuedAt)

const isRefused = (
  stored: OAuthToken,
  held: HeldToken | undefined,
  { refused }: TokenCacheRequest,
  now: Moment
): boolean =>
  (refused !== undefined && stored.isAccessToken(refused)) ||
  (held !== undefined && held.spent && now.monotonic < held.endsAt && isSameAccessToken(stored, held.token))
