// Tokens in Redis: another connection finds what the first one stored.
import assert from "node:assert/strict"
import { OAuthToken, type TokenKey } from "@secure-mcp/oauth-core"
import { TokenStore } from "@secure-mcp/token-cache"
import { RedisConnection, RedisTokenStore } from "@secure-mcp/token-cache-redis"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"

const { REDIS_URL = "" } = process.env
const encryptionKey = Redacted.make("a key that is not easy to guess 0123")
const key: TokenKey = {
  projectId: "p",
  configId: "c",
  serverName: "api",
  personal: false,
  fingerprint: "0".repeat(64)
}
const token = new OAuthToken({
  accessToken: Redacted.make("a-token"),
  tokenType: "Bearer",
  issuedAt: Date.now(),
  reusable: true
})
const start = <A, E>(work: Effect.Effect<A, E, TokenStore>) =>
  Effect.runPromise(
    work.pipe(
      Effect.provide(RedisTokenStore.layer({ encryptionKey, previousKeys: [] })),
      Effect.provide(RedisConnection.layer({ url: Redacted.make(REDIS_URL) }))
    )
  )
await start(Effect.flatMap(TokenStore, (store) => store.set(key, token, Duration.hours(1))))
const [entry] = await start(Effect.flatMap(TokenStore, (store) => store.list))
assert.equal(entry && Redacted.value(entry.token.accessToken), "a-token")
