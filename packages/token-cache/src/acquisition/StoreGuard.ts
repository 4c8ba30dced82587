import * as Effect from "effect/Effect"
import {
  OAuthError,
  type OAuthToken,
  type StoreUnavailable,
  type TokenCacheRequest
} from "@secure-mcp/oauth-core"
import type { TokenStore } from "../store/TokenStore.ts"
import { orFail } from "./StoreAccess.ts"

/** What the errors of an acquisition say was being done. */
export const acquiring = "get an access token"

/** An acquisition, and what is known of the store. */
export interface GuardedAcquisition {
  readonly request: TokenCacheRequest
  readonly previous: OAuthToken | undefined
  readonly keep: Parameters<TokenCacheRequest["acquire"]>[1]
  /** Whether tokens of this key are stored at all. */
  readonly isStorable: boolean
  /** Why the store could not be read, if it could not. */
  readonly unread: StoreUnavailable | undefined
}

/**
 * Acquires a token with care for what only a person can grant again: no refresh token is used while the one that
 * replaces it could not be stored, and no login is asked for only because the store, which may have the grant, could
 * not be read. Step `probe` of docs/models/renewal.pml.
 */
export const guardedAcquire = (
  store: TokenStore["Service"],
  { isStorable, keep, previous, request, unread }: GuardedAcquisition
): Effect.Effect<OAuthToken, OAuthError> => {
  const { serverName } = request.key
  const acquire = Effect.suspend(() => request.acquire(previous, keep))
  if (previous?.refreshToken !== undefined)
    return isStorable ? Effect.andThen(orFail(acquiring, serverName)(store.checkWritable), acquire) : acquire
  if (unread === undefined || previous !== undefined) return acquire
  return Effect.catchReason(acquire, "OAuthError", "AuthorizationRequired", () =>
    OAuthError.fail({ operation: acquiring, serverName, reason: unread })
  )
}
