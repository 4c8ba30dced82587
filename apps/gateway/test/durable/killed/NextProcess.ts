import { type CachedToken, type OAuthError, OAuthService } from "@secure-mcp/oauth-core"
import { isTokenKey, TokenStore } from "@secure-mcp/token-cache"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { asProcess } from "../AsProcess.ts"

/** What a process can do that comes after one that was killed. Each waits until the lease of the dead one has ended. */

/** The token in the store. */
export const storedToken = (document: object) =>
  asProcess(document, () =>
    Effect.gen(function* () {
      const entry = (yield* (yield* TokenStore).list).find(({ key }) => isTokenKey(key))
      return (
        entry && {
          accessToken: Redacted.value(entry.token.accessToken),
          refreshToken: entry.token.refreshToken && Redacted.value(entry.token.refreshToken)
        }
      )
    })
  )

/** On a busy machine Redis may answer too late: then the store is asked again. */
const patiently = <A, R>(effect: Effect.Effect<A, OAuthError, R>) =>
  Effect.retry(effect, { times: 3, while: ({ reason }) => reason._tag === "StoreUnavailable" })

/** Whether the store holds a token that this configuration can read. */
export const canRead = (document: object) =>
  asProcess(document, () =>
    Effect.flatMap(TokenStore, (store) => store.list).pipe(
      Effect.as(true),
      Effect.catchTag("StoreUnavailable", () => Effect.succeed(false))
    )
  )

export const getToken = (document: object) =>
  asProcess(document, (request) =>
    outcomeOf(Effect.flatMap(OAuthService, (oauth) => oauth.getAccessToken(request)))
  )

export const renew = (document: object) =>
  asProcess(document, (request) => outcomeOf(Effect.flatMap(OAuthService, (oauth) => oauth.refresh(request))))

const outcomeOf = <R>(asked: Effect.Effect<CachedToken, OAuthError, R>) =>
  asked.pipe(
    patiently,
    Effect.as("token" as const),
    Effect.catchReason("OAuthError", "AuthorizationRequired", () => Effect.succeed("login needed" as const))
  )

export const logOut = (document: object) =>
  asProcess(document, (request) => patiently(Effect.flatMap(OAuthService, (oauth) => oauth.revoke(request))))

export const logInOnDevice = (document: object) =>
  asProcess(document, (request) =>
    Effect.flatMap(OAuthService, (oauth) => oauth.authorizeDevice(request)).pipe(
      Effect.flatMap(({ token }) => token)
    )
  )
