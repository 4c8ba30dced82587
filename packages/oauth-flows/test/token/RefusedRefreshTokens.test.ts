import { assert, describe, it } from "@effect/vitest"
import { ConnectionFailed, OAuthToken } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import { RefusedRefreshTokens } from "../../src/token/RefusedRefreshTokens.ts"

const makeToken = (
  refreshToken: string | undefined,
  grantedTo?: { readonly issuer?: string; readonly clientId: string; readonly tokenEndpoint?: string },
  accessToken = "access"
) =>
  new OAuthToken({
    accessToken: Redacted.make(accessToken),
    tokenType: "Bearer",
    issuedAt: 0,
    reusable: true,
    ...(refreshToken === undefined ? {} : { refreshToken: Redacted.make(refreshToken) }),
    ...(grantedTo === undefined
      ? {}
      : {
          grantedTo: {
            clientId: grantedTo.clientId,
            ...(grantedTo.issuer === undefined ? {} : { issuer: grantedTo.issuer }),
            ...(grantedTo.tokenEndpoint === undefined
              ? {}
              : { tokenEndpoint: Redacted.make(grantedTo.tokenEndpoint) })
          }
        })
  })

const reason = new ConnectionFailed({ endpoint: "https://auth.example.com/token", problem: "ECONNRESET" })

describe("refused refresh tokens", () => {
  it.effect("a refresh token that ended is dead at its server and for its client only", () =>
    Effect.gen(function* () {
      const { end, isRefreshable } = yield* RefusedRefreshTokens
      const granted = { issuer: "https://a.example.com", clientId: "a", tokenEndpoint: "https://a/token" }
      yield* end(makeToken("first", granted))
      assert.isFalse(isRefreshable(makeToken("first", granted)))
      for (const other of [
        makeToken("first"),
        makeToken("first", { ...granted, issuer: "https://b.example.com" }),
        makeToken("first", { ...granted, clientId: "b" }),
        makeToken("first", { ...granted, tokenEndpoint: "https://b/token" }),
        makeToken("second", granted),
        makeToken("first", granted, "another access token")
      ])
        assert.isTrue(isRefreshable(other))
      assert.isFalse(isRefreshable(makeToken(undefined, granted)))
    }).pipe(Effect.provide(RefusedRefreshTokens.layer))
  )

  it.effect("a refresh that fails for now pauses for 1, 2, 4 and at most 60 seconds", () =>
    Effect.gen(function* () {
      const { isRefreshable, pause, pausedBy } = yield* RefusedRefreshTokens
      const token = makeToken("first")
      for (const seconds of [1, 2, 4, 8, 16, 32, 60, 60]) {
        yield* pause(token, reason)
        assert.isTrue(isRefreshable(token))
        yield* TestClock.adjust(seconds * 1000 - 1)
        assert.strictEqual(yield* pausedBy(token), reason)
        yield* TestClock.adjust(1)
        assert.isUndefined(yield* pausedBy(token))
      }
    }).pipe(Effect.provide(RefusedRefreshTokens.layer))
  )

  it.effect("a refresh token that ended is not paused any more", () =>
    Effect.gen(function* () {
      const { end, pause, pausedBy } = yield* RefusedRefreshTokens
      yield* pause(makeToken("first"), reason)
      yield* end(makeToken("first"))
      assert.isUndefined(yield* pausedBy(makeToken("first")))
    }).pipe(Effect.provide(RefusedRefreshTokens.layer))
  )

  it.effect("ten thousand ends are remembered, and the oldest is forgotten first", () =>
    Effect.gen(function* () {
      const { end, isRefreshable } = yield* RefusedRefreshTokens
      for (let index = 0; index < 10_000; index += 1) yield* end(makeToken(`token-${index}`))
      assert.isFalse(isRefreshable(makeToken("token-0")))
      yield* end(makeToken("token-10000"))
      assert.isTrue(isRefreshable(makeToken("token-0")))
      assert.isFalse(isRefreshable(makeToken("token-1")))
    }).pipe(Effect.provide(RefusedRefreshTokens.layer))
  )

  it.effect("ten thousand pauses are remembered, and the least recent is forgotten first", () =>
    Effect.gen(function* () {
      const { pause, pausedBy } = yield* RefusedRefreshTokens
      for (let index = 0; index < 10_000; index += 1) yield* pause(makeToken(`token-${index}`), reason)
      yield* pause(makeToken("token-0"), reason)
      yield* pause(makeToken("token-10000"), reason)
      assert.strictEqual(yield* pausedBy(makeToken("token-0")), reason)
      assert.isUndefined(yield* pausedBy(makeToken("token-1")))
      assert.strictEqual(yield* pausedBy(makeToken("token-2")), reason)
    }).pipe(Effect.provide(RefusedRefreshTokens.layer))
  )
})
