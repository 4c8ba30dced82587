import { LoginRecords, type LoginRecordsService, OAuthToken } from "@secure-mcp/oauth-core"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { loginRecordKey } from "./store/LoginRecordKey.ts"
import { tokenOfEntry } from "./store/StoreEntry.ts"
import { TokenStore } from "./store/TokenStore.ts"

/**
 * `LoginRecords` in the `TokenStore`, encrypted as its tokens are: a login that was begun in one process ends in another one that shares
 * the store. A store that stores nothing keeps no records.
 *
 * @example
 * ```ts
 * import { OAuthFlows } from "@secure-mcp/oauth-flows"
 * import { FileTokenStore, StoredLoginRecords } from "@secure-mcp/token-cache"
 * import * as Layer from "effect/Layer"
 *
 * const store = FileTokenStore.layer({ directory: "/var/lib/gateway/tokens" })
 * export const grants = OAuthFlows.layer.pipe(Layer.provide(StoredLoginRecords.layer), Layer.provide(store))
 * ```
 */
export const StoredLoginRecords = {
  layer: Layer.effect(
    LoginRecords,
    Effect.map(TokenStore, (store) => (TokenStore.isNone(store) ? undefined : recordsIn(store)))
  ) satisfies Layer.Layer<never, never, TokenStore>
}

const recordsIn = (store: TokenStore["Service"]): LoginRecordsService => ({
  put: (id, record, timeToLive) =>
    Effect.flatMap(Clock.currentTimeMillis, (issuedAt) =>
      store.set(
        loginRecordKey(id),
        // In place of a token. It ends by itself, and nothing can be obtained with it.
        new OAuthToken({
          accessToken: record,
          tokenType: "Bearer",
          issuedAt,
          expiresAt: issuedAt + Duration.toMillis(timeToLive),
          reusable: false
        }),
        timeToLive
      )
    ),
  get: (id) => Effect.map(store.get(loginRecordKey(id)), (entry) => tokenOfEntry(entry)?.accessToken),
  take: (id) => Effect.map(store.remove(loginRecordKey(id)), (token) => token?.accessToken)
})
