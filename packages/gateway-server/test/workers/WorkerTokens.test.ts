import { assert, describe, it } from "@effect/vitest"
import {
  CircuitOpen,
  decodeOAuthConfig,
  OAuthError,
  OAuthToken,
  type AccessTokenRequest
} from "@secure-mcp/oauth-core"
import { accepted, refused, TokenInjector } from "@secure-mcp/transport-injection"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import { OwnerChannel } from "../../src/workers/OwnerChannel.ts"
import type { Answer, Question } from "../../src/workers/OwnerMessages.ts"
import { workerTokens } from "../../src/workers/WorkerTokens.ts"

const tokenNamed = (name: string, more: Partial<OAuthToken> = {}) =>
  new OAuthToken({
    accessToken: Redacted.make(name),
    tokenType: "Bearer",
    issuedAt: 0,
    expiresAt: 3_600_000,
    reusable: true,
    ...more
  })

/** An owner that gives the token that the test says, and writes down what it is asked. */
const makeOwner = () => {
  const owner = {
    answer: { _tag: "Token", token: tokenNamed("first") } as Answer,
    questions: [] as Array<Question>,
    hits: 0
  }
  const channel = OwnerChannel.of({
    start: Effect.never,
    ask: (question) =>
      Effect.suspend(() => {
        owner.questions.push(question)
        return Effect.delay(Effect.succeed(owner.answer), "1 millis")
      }),
    tell: () => Effect.void,
    countHit: () => void (owner.hits += 1)
  })
  return { owner, layer: workerTokens.pipe(Layer.provide(Layer.succeed(OwnerChannel, channel))) }
}

const stage = Effect.gen(function* () {
  const { layer, owner } = makeOwner()
  const config = yield* Effect.fromResult(
    decodeOAuthConfig({
      enabled: true,
      token_url: "https://auth.example/token",
      client_id: "client",
      client_secret: "a-secret-of-the-tests"
    })
  )
  const request: AccessTokenRequest = { serverName: "remote", config, subject: "alice" }
  const injector = yield* Effect.provide(TokenInjector, layer)
  const peeked = Effect.sync(() => {
    const token = injector.peek(request)
    return token && Redacted.value(token.accessToken)
  })
  const used = injector.use(request, (token) => Effect.succeed(accepted(token && Redacted.value(token))))
  /** Lets the owner answer. */
  const answered = <A, E>(effect: Effect.Effect<A, E>) =>
    Effect.all([effect, TestClock.adjust("1 millis")], { concurrency: 2 }).pipe(Effect.map(([a]) => a))
  return { answered, injector, owner, peeked, request, used }
})

describe("the tokens of a worker", () => {
  it.effect("callers that need the same token ask the owner once, and then use a copy of it", () =>
    Effect.gen(function* () {
      const { answered, owner, peeked, used } = yield* stage
      assert.isUndefined(yield* peeked)
      const tokens = yield* answered(Effect.all([used, used, used], { concurrency: 3 }))
      assert.deepStrictEqual(tokens, ["first", "first", "first"])
      assert.deepStrictEqual(owner.questions, [{ _tag: "Token", serverName: "remote", subject: "alice" }])
      assert.strictEqual(yield* peeked, "first")
      assert.strictEqual(owner.hits, 1)
    })
  )

  it.effect(
    "a copy in use is renewed after two seconds, in the background, by a question that counts as a hit",
    () =>
      Effect.gen(function* () {
        const { answered, owner, peeked, used } = yield* stage
        yield* answered(used)
        owner.answer = { _tag: "Token", token: tokenNamed("second") }
        yield* TestClock.adjust("1900 millis")
        assert.strictEqual(yield* peeked, "first")
        yield* TestClock.adjust("200 millis")
        assert.strictEqual(yield* peeked, "first")
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(yield* peeked, "second")
        assert.strictEqual(owner.questions.length, 2)
        assert.strictEqual(owner.hits, 2)
      })
  )

  it.effect("a copy is not used after four seconds, nor beyond the expiry of its token", () =>
    Effect.gen(function* () {
      const { answered, owner, peeked, used } = yield* stage
      yield* answered(used)
      yield* TestClock.adjust("4 seconds")
      assert.isUndefined(yield* peeked)
      owner.answer = { _tag: "Token", token: tokenNamed("short", { expiresAt: 5000 }) }
      assert.strictEqual(yield* answered(used), "short")
      yield* TestClock.adjust("1 seconds")
      assert.isUndefined(yield* peeked)
    })
  )

  it.effect("a token for one use is not kept", () =>
    Effect.gen(function* () {
      const { answered, owner, peeked, used } = yield* stage
      owner.answer = { _tag: "Token", token: tokenNamed("once", { reusable: false }) }
      assert.strictEqual(yield* answered(used), "once")
      assert.isUndefined(yield* peeked)
      yield* answered(used)
      assert.strictEqual(owner.questions.length, 2)
    })
  )

  it.effect("the error of the owner is the caller's, and ends the use of the copy", () =>
    Effect.gen(function* () {
      const { answered, owner, peeked, used } = yield* stage
      yield* answered(used)
      const reason = new CircuitOpen({ endpoint: "https://auth.example", retryAfterSeconds: 30 })
      const error = new OAuthError({
        operation: "get an access token",
        serverName: "remote",
        correlationId: "of the owner",
        reason
      })
      owner.answer = { _tag: "NoToken", error }
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(yield* peeked, "first")
      yield* TestClock.adjust("1 millis")
      assert.isUndefined(yield* peeked)
      assert.strictEqual(yield* answered(Effect.flip(used)), error)
    })
  )

  it.effect("a token that a server refuses is dropped, and its request is for the owner", () =>
    Effect.gen(function* () {
      const { answered, injector, peeked, request, used } = yield* stage
      yield* answered(used)
      const token = injector.peek(request)
      assert.isDefined(token)
      const outcome = Effect.succeed(refused(401, undefined))
      const error = yield* Effect.flip(
        injector.useAfter(request, { token: token ?? tokenNamed("none"), outcome }, () => outcome)
      )
      assert.strictEqual(error.reason._tag, "UpstreamUnauthorized")
      assert.isUndefined(yield* peeked)
    })
  )
})
