// The cache alone, with a token that comes from anywhere.
import assert from "node:assert/strict"
import { OAuthToken, TokenCache, type TokenKey } from "@secure-mcp/oauth-core"
import { SingleFlightTokenCache } from "@secure-mcp/token-cache"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"

let asked = 0
const acquire = Effect.map(
  Clock.currentTimeMillis,
  (issuedAt) =>
    new OAuthToken({
      accessToken: Redacted.make(`token-${++asked}`),
      tokenType: "Bearer",
      issuedAt,
      reusable: true,
      expiresAt: issuedAt + 3_600_000
    })
)
const key: TokenKey = {
  projectId: "default",
  configId: "default",
  serverName: "api",
  personal: false,
  fingerprint: "0".repeat(64)
}
const program = Effect.gen(function* () {
  const cache = yield* TokenCache
  const request = { key, expiryBuffer: Duration.minutes(5), acquire: () => acquire }
  return yield* Effect.forEach([1, 2, 3], () => cache.get(request), { concurrency: 3 })
})
const tokens = await Effect.runPromise(Effect.provide(program, SingleFlightTokenCache.layerMemory))
assert.deepEqual(new Set(tokens.map(({ token }) => Redacted.value(token.accessToken))), new Set(["token-1"]))
