import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import { OAuthError, StoreUnavailable, type OAuthToken, type TokenCacheRequest } from "@secure-mcp/oauth-core"
import { unexpected } from "./StoreWarning.ts"
import type { TokenStore } from "./TokenStore.ts"

/**
 * Acquires as a request says, with care for what only a person can grant again: no refresh token is used while the
 * one that comes in its place could not be kept, and nobody is asked to log in only because the store, which may
 * have their grant, could not be read.
 *
 * @param unread why the store could not be read, if it could not
 */
export const guardedAcquire = (
  store: TokenStore["Service"],
  request: TokenCacheRequest,
  previous: OAuthToken | undefined,
  unread: StoreUnavailable | undefined
): Effect.Effect<OAuthToken, OAuthError> => {
  const { serverName } = request.key
  const acquire = Effect.suspend(() => request.acquire(previous, () => Effect.void))
  if (previous?.refreshToken !== undefined)
    return sparing(serverName)(store.checkWritable).pipe(Effect.andThen(acquire))
  if (unread === undefined || previous !== undefined) return acquire
  return Effect.catchReason(acquire, "OAuthError", "AuthorizationRequired", () =>
    failWith(serverName, unread)
  )
}

/** What has to succeed before a refresh token is used. The text of a defect may hold anything. */
export const sparing =
  (serverName: string) =>
  <A, R>(effect: Effect.Effect<A, StoreUnavailable, R>): Effect.Effect<A, OAuthError, R> =>
    effect.pipe(
      Effect.catchDefect(() => Effect.fail(new StoreUnavailable({ problem: unexpected }))),
      Effect.catch((reason) => failWith(serverName, reason))
    )

const failWith = (serverName: string, reason: StoreUnavailable) =>
  Effect.suspend(() =>
    Effect.fail(
      new OAuthError({
        operation: "get an access token",
        serverName,
        correlationId: SecureRandom.uuidV4Unsafe(),
        reason
      })
    )
  )
