import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import { OAuthError, StoreUnavailable, type OAuthToken, type TokenCacheRequest } from "@secure-mcp/oauth-core"
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
  const acquire = Effect.suspend(() => request.acquire(previous))
  const fail = (reason: StoreUnavailable) => failWith(request.key.serverName, reason)
  if (previous?.refreshToken !== undefined)
    return checkWritable(store).pipe(Effect.catch(fail), Effect.andThen(acquire))
  if (unread === undefined || previous !== undefined) return acquire
  return Effect.catchReason(acquire, "OAuthError", "AuthorizationRequired", () => fail(unread))
}

/** The text of a defect may hold anything. */
const checkWritable = (store: TokenStore["Service"]): Effect.Effect<void, StoreUnavailable> =>
  Effect.catchDefect(store.checkWritable, () =>
    Effect.fail(new StoreUnavailable({ problem: "it threw an unexpected error" }))
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
