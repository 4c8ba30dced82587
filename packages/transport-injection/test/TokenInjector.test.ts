import { assert, describe, it } from "@effect/vitest"
import {
  accepted,
  mayRefuseToken,
  refused,
  refusesToken,
  TokenInjector,
  type AttemptOutcome
} from "@secure-mcp/transport-injection"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import { accessTokenRequest, makeToken, scriptedOAuthService } from "./ScriptedOAuthService.ts"

/** An attempt at a server that takes one token only, and the tokens it was made with. */
const attemptAt = (taken: string) => {
  const tokens: Array<string> = []
  const attempt = (token: Redacted.Redacted | undefined) =>
    Effect.sync(() => {
      tokens.push(textOf(token))
      return textOf(token) === taken ? accepted(`answer to ${taken}`) : refused(401)
    })
  return { attempt, tokens }
}

const textOf = (token: Redacted.Redacted | undefined) =>
  token === undefined ? "none" : Redacted.value(token)

const use = <A, E, R>(
  attempt: (token: Redacted.Redacted | undefined) => Effect.Effect<AttemptOutcome<A>, E, R>
) => TokenInjector.use((injector) => injector.use(accessTokenRequest, attempt))

describe("TokenInjector.use", () => {
  it.effect("makes one attempt when the token is taken", () =>
    Effect.gen(function* () {
      const service = scriptedOAuthService("first")
      const { attempt, tokens } = attemptAt("first")
      const answer = yield* Effect.provide(use(attempt), service.layer)
      assert.strictEqual(answer, "answer to first")
      assert.deepStrictEqual(tokens, ["first"])
      assert.deepStrictEqual(service.calls, [{ call: "getAccessToken", request: accessTokenRequest }])
    })
  )

  it.effect("names the refused token and makes one more attempt with a new one", () =>
    Effect.gen(function* () {
      const service = scriptedOAuthService("stale", "fresh")
      const { attempt, tokens } = attemptAt("fresh")
      const answer = yield* Effect.provide(use(attempt), service.layer)
      assert.strictEqual(answer, "answer to fresh")
      assert.deepStrictEqual(tokens, ["stale", "fresh"])
      assert.deepStrictEqual(service.calls, [
        { call: "getAccessToken", request: accessTokenRequest },
        { call: "refresh", request: accessTokenRequest, refused: "stale", challenge: undefined }
      ])
    })
  )

  it.effect("a second refusal of a fresh token is an error", () =>
    Effect.gen(function* () {
      const service = scriptedOAuthService("one", "two", "three")
      const { attempt, tokens } = attemptAt("three")
      const error = yield* use(attempt).pipe(Effect.flip, Effect.provide(service.layer))
      assert.deepStrictEqual(tokens, ["one", "two"])
      assert.isTrue(Predicate.isTagged(error.reason, "UpstreamUnauthorized"))
      assert.strictEqual(error.serverName, "remote")
      assert.match(error.correlationId, /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
      assert.match(error.message, /^Could not use the access token for server "remote": .*HTTP 401/)
    })
  )

  it.effect("makes no attempt without a token", () =>
    Effect.gen(function* () {
      const { attempt, tokens } = attemptAt("none")
      const error = yield* use(attempt).pipe(Effect.flip, Effect.provide(scriptedOAuthService().layer))
      assert.isTrue(Predicate.isTagged(error.reason, "ConnectionFailed"))
      assert.deepStrictEqual(tokens, [])
    })
  )

  it.effect("makes no second attempt without a new token", () =>
    Effect.gen(function* () {
      const { attempt, tokens } = attemptAt("none")
      const error = yield* use(attempt).pipe(Effect.flip, Effect.provide(scriptedOAuthService("stale").layer))
      assert.isTrue(Predicate.isTagged(error.reason, "ConnectionFailed"))
      assert.deepStrictEqual(tokens, ["stale"])
    })
  )

  it.effect("a server that refuses everything gets one forced refresh in thirty seconds", () =>
    Effect.gen(function* () {
      const service = scriptedOAuthService("one", "two", "three", "four")
      const refreshes = () => service.calls.filter(({ call }) => call === "refresh").length
      const { attempt } = attemptAt("none of these")
      const fail = Effect.flip(use(attempt))
      yield* Effect.gen(function* () {
        for (let count = 0; count < 20; count += 1) {
          const { reason } = yield* fail
          assert.deepInclude(reason, { _tag: "UpstreamUnauthorized", status: 401 })
          yield* TestClock.adjust("1 second")
        }
        assert.strictEqual(refreshes(), 1)
        yield* TestClock.adjust("9 seconds")
        yield* fail
        assert.strictEqual(refreshes(), 1)
        yield* TestClock.adjust("1 second")
        yield* fail
        assert.strictEqual(refreshes(), 2)
      }).pipe(Effect.provide(service.layer))
    })
  )

  it.effect("a server that takes a token once each gets two forced refreshes in thirty seconds", () =>
    Effect.gen(function* () {
      const service = scriptedOAuthService(...Array.from({ length: 30 }, (_, index) => `token-${index}`))
      const seen = new Set<string>()
      const once = (token: Redacted.Redacted | undefined) =>
        Effect.sync(() => {
          const text = textOf(token)
          if (seen.has(text)) return refused(401)
          seen.add(text)
          return accepted(text)
        })
      yield* Effect.forEach(Array.from({ length: 25 }), () =>
        Effect.andThen(Effect.exit(use(once)), TestClock.adjust("1 second"))
      ).pipe(Effect.provide(service.layer))
      assert.lengthOf(
        service.calls.filter(({ call }) => call === "refresh"),
        2
      )
    })
  )

  it.effect("what refuses everything that cannot be repeated gets one forced refresh in thirty seconds", () =>
    Effect.gen(function* () {
      const service = scriptedOAuthService("one", "two", "three", "four")
      const replaced = yield* Effect.gen(function* () {
        const { replace } = yield* TokenInjector
        const first = yield* replace(accessTokenRequest, Redacted.make("one"), undefined)
        const second = yield* replace(accessTokenRequest, first.token.accessToken, undefined)
        yield* TestClock.adjust("30 seconds")
        return [first, second, yield* replace(accessTokenRequest, second.token.accessToken, undefined)]
      }).pipe(Effect.provide(service.layer))
      assert.deepStrictEqual(
        replaced.map(({ token }) => textOf(token.accessToken)),
        ["two", "two", "three"]
      )
    })
  )

  const forbidden = { error: "insufficient_scope", scope: "mcp:admin" }

  it.effect("requests the missing scope, with the server's challenge", () =>
    Effect.gen(function* () {
      const service = scriptedOAuthService("narrow", "wide")
      const answer = yield* use((token) =>
        Effect.succeed(textOf(token) === "wide" ? accepted("done") : refused(403, forbidden))
      ).pipe(Effect.provide(service.layer))
      assert.strictEqual(answer, "done")
      assert.deepStrictEqual(service.calls[1], {
        call: "refresh",
        request: accessTokenRequest,
        refused: "narrow",
        challenge: forbidden
      })
    })
  )

  it.effect("gives up when the server asks for more scope than two step-ups brought", () =>
    Effect.gen(function* () {
      const service = scriptedOAuthService("1", "2", "3", "4", "5")
      const tokens: Array<string> = []
      const error = yield* use((token) => {
        tokens.push(textOf(token))
        return Effect.succeed(refused(403, forbidden))
      }).pipe(Effect.flip, Effect.provide(service.layer))
      assert.deepStrictEqual(tokens, ["1", "2", "3"])
      assert.deepInclude(error.reason, { _tag: "StepUpExhausted", attempts: 3, scope: "mcp:admin" })
    })
  )

  it.effect("counts 401 and 403 apart", () =>
    Effect.gen(function* () {
      const service = scriptedOAuthService("revoked", "narrow", "wide")
      const answers = [refused(401), refused(403, forbidden), accepted("done")]
      const answer = yield* use(() => Effect.sync(() => answers.shift() ?? refused(500))).pipe(
        Effect.provide(service.layer)
      )
      assert.strictEqual(answer, "done")
      const [first, second] = [refused(403, forbidden), refused(401)]
      const endless = [refused(401), first, second]
      const error = yield* use(() => Effect.sync(() => endless.shift() ?? refused(500))).pipe(
        Effect.flip,
        Effect.provide(scriptedOAuthService("1", "2", "3", "4").layer)
      )
      assert.isTrue(Predicate.isTagged(error.reason, "UpstreamUnauthorized"))
      assert.lengthOf(endless, 0)
    })
  )

  it.effect("a token with more scope that is refused with 401 is replaced, too", () =>
    Effect.gen(function* () {
      const answers = [refused(403, forbidden), refused(401), accepted("done")]
      const answer = yield* use(() => Effect.sync(() => answers.shift() ?? refused(500))).pipe(
        Effect.provide(scriptedOAuthService("narrow", "wide", "fresh").layer)
      )
      assert.strictEqual(answer, "done")
    })
  )

  it.effect(
    "a refusal that cannot be repeated replaces the token once and is an error with the server's status",
    () =>
      Effect.gen(function* () {
        for (const [status, challenge] of [
          [401, undefined],
          [403, forbidden]
        ] as const) {
          const service = scriptedOAuthService("stale", "fresh", "fresher")
          const tokens: Array<string> = []
          const error = yield* use((token) => {
            tokens.push(textOf(token))
            return Effect.succeed(refused(status, challenge, { repeatable: false }))
          }).pipe(Effect.flip, Effect.provide(service.layer))
          assert.deepStrictEqual(tokens, ["stale"])
          assert.deepStrictEqual(
            service.calls.map(({ call }) => call),
            ["getAccessToken", "refresh"]
          )
          assert.deepInclude(error.reason, { _tag: "UpstreamUnauthorized", status, repeatable: false })
          assert.include(error.message, `refused the access token with HTTP ${status}`)
          assert.notInclude(error.message, "fresh")
          assert.isTrue(error.retryable)
        }
      })
  )

  it.effect("a refusal that cannot be repeated is the failure to get a new token, if that fails", () =>
    Effect.gen(function* () {
      const error = yield* use(() => Effect.succeed(refused(401, undefined, { repeatable: false }))).pipe(
        Effect.flip,
        Effect.provide(scriptedOAuthService("stale").layer)
      )
      assert.isTrue(Predicate.isTagged(error.reason, "ConnectionFailed"))
    })
  )

  it.effect("the attempt is inside the trace span of the injector", () =>
    Effect.gen(function* () {
      const name = yield* use(() => Effect.map(Effect.currentSpan, ({ name }) => accepted(name))).pipe(
        Effect.provide(scriptedOAuthService("first").layer)
      )
      assert.strictEqual(name, "TokenInjector.use")
    })
  )

  it.effect.each([
    [401, undefined, true],
    [403, forbidden, true],
    [403, { error: "invalid_token" }, true],
    [400, { error: "invalid_token" }, true],
    [400, { error: "invalid_request" }, false],
    [400, undefined, false],
    [403, undefined, false],
    [500, forbidden, false]
  ] as const)("HTTP %d with %j refuses the token: %s", ([status, challenge, expected]) =>
    Effect.sync(() => assert.strictEqual(refusesToken(status, challenge), expected))
  )

  it("only HTTP 400, 401 and 403 may refuse a token", () => {
    assert.deepStrictEqual(
      [200, 400, 401, 402, 403, 404, 500].filter((status) => mayRefuseToken(status)),
      [400, 401, 403]
    )
  })

  it.effect("a server that never says which scope it wants is given up after two step-ups, too", () =>
    Effect.gen(function* () {
      const error = yield* use(() => Effect.succeed(refused(403, { error: "insufficient_scope" }))).pipe(
        Effect.flip,
        Effect.provide(scriptedOAuthService("1", "2", "3", "4").layer)
      )
      assert.deepInclude(error.reason, { _tag: "StepUpExhausted", attempts: 3 })
      assert.notProperty(error.reason, "scope")
    })
  )

  it.effect("a refusal that asks for more scope gets another token, also soon after a forced refresh", () =>
    Effect.gen(function* () {
      const service = scriptedOAuthService("one", "two", "three")
      const sources = yield* Effect.gen(function* () {
        const { replace } = yield* TokenInjector
        const first = yield* replace(accessTokenRequest, Redacted.make("one"), undefined)
        const kept = yield* replace(accessTokenRequest, first.token.accessToken, undefined)
        const wider = yield* replace(accessTokenRequest, first.token.accessToken, forbidden)
        return [first, kept, wider].map(({ source, token }) => [textOf(token.accessToken), source])
      }).pipe(Effect.provide(service.layer))
      assert.deepStrictEqual(sources, [
        ["two", "acquired"],
        ["two", "cache"],
        ["three", "acquired"]
      ])
    })
  )

  it.effect("fails with the attempt's own failure, which says nothing of the token", () =>
    Effect.gen(function* () {
      const service = scriptedOAuthService("first", "second")
      const failure = yield* use(() => Effect.fail("reset" as const)).pipe(
        Effect.flip,
        Effect.provide(service.layer)
      )
      assert.strictEqual(failure, "reset")
      assert.lengthOf(service.calls, 1)
    })
  )
})

describe("TokenInjector.useAfter", () => {
  it.effect("goes on after a refusal without asking for the token again", () =>
    Effect.gen(function* () {
      const service = scriptedOAuthService("held", "fresh")
      const { attempt, tokens } = attemptAt("fresh")
      const first = { token: makeToken("held"), outcome: Effect.succeed(refused(401)) }
      const answer = yield* Effect.provide(
        TokenInjector.use((injector) => injector.useAfter(accessTokenRequest, first, attempt)),
        service.layer
      )
      assert.strictEqual(answer, "answer to fresh")
      assert.deepStrictEqual(tokens, ["fresh"])
      assert.deepStrictEqual(service.calls, [
        { call: "refresh", request: accessTokenRequest, refused: "held", challenge: undefined }
      ])
    })
  )
})
