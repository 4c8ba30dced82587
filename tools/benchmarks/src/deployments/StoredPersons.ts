import { decodeOAuthConfig, OAuthService, type TokenKey } from "@secure-mcp/oauth-core"
import { SingleFlightTokenCache, TokenStore } from "@secure-mcp/token-cache"
import { RedisConnection, RedisTokenStore } from "@secure-mcp/token-cache-redis"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { noLog, serviceWithCache } from "../tokens/Service.ts"
import { encryptionKey } from "./Redis.ts"

/** The `oauth` object of a server that each person logs in to. */
export const personOAuth = (endpointUrl: string) => ({
  enabled: true,
  grant_type: "authorization_code",
  authorization_url: `${endpointUrl}/authorize`,
  token_url: `${endpointUrl}/token`,
  client_id: "benchmark",
  client_secret: "the-secret-of-the-client",
  enforce_https: false
})

/**
 * One person logs in, and their token is stored in a Redis for all the others, too: so many logins would take an hour.
 *
 * @param oauth as in the configuration of the gateway that is to find the tokens
 */
export const storeTokens = (
  redisUrl: string,
  serverName: string,
  oauth: object,
  [first = "", ...others]: ReadonlyArray<string>
) =>
  Effect.gen(function* () {
    const config = yield* Effect.fromResult(decodeOAuthConfig(oauth))
    const service = yield* OAuthService
    const redirectUri = "http://127.0.0.1:1/callback"
    const request = { serverName, config, subject: first }
    const { authorizationUrl } = yield* service.authorize(request, { redirectUri })
    const state = new URL(authorizationUrl).searchParams.get("state") ?? ""
    yield* service.completeAuthorization({ code: "a-code", state })
    const store = yield* TokenStore
    const stored = (yield* store.list).find(({ key }) => key.subject === first)
    if (stored === undefined) return yield* Effect.die("The login stored no token")
    const keyOf = (subject: string): TokenKey => ({ ...stored.key, subject })
    return yield* Effect.forEach(
      others,
      (subject) => store.set(keyOf(subject), stored.token, Duration.infinity),
      { concurrency: 64, discard: true }
    )
  }).pipe(Effect.provide(inRedis(redisUrl)), Effect.orDie)

const inRedis = (url: string) => {
  const store = RedisTokenStore.layer({ encryptionKey: Redacted.make(encryptionKey) }).pipe(
    Layer.provide(RedisConnection.layer({ url: Redacted.make(url) }))
  )
  return serviceWithCache(SingleFlightTokenCache.layer).pipe(
    Layer.provideMerge(store),
    Layer.provideMerge(noLog)
  )
}
