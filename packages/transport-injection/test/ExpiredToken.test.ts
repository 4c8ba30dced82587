import { assert, describe, it } from "@effect/vitest"
import {
  AuthorizationRequired,
  decodeOAuthConfig,
  OAuthError,
  OAuthService,
  OAuthToken,
  type AccessTokenRequest,
  type CachedToken
} from "@secure-mcp/oauth-core"
import { accepted, refused, TokenInjector } from "@secure-mcp/transport-injection"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as TestClock from "effect/testing/TestClock"

const request: AccessTokenRequest = {
  serverName: "remote",
  subject: "alice",
  config: Result.getOrThrow(decodeOAuthConfig({ enabled: true, grant_type: "authorization_code" }))
}

const lifetime = 1000

const loginNeeded = OAuthError.fail({
  operation: "get an access token",
  serverName: "remote",
  correlationId: "1",
  reason: new AuthorizationRequired({})
})

/** A person's tokens of one second: the current one, a new one after it has expired, and one for each forced refresh. */
const makePerson = () => {
  let token: OAuthToken | undefined
  let [hasEnded, isBehind] = [false, false]
  const count = { issued: 0, forced: 0, removed: 0 }
  const issue = Effect.map(Clock.currentTimeMillis, (issuedAt): CachedToken => {
    count.issued += 1
    token = new OAuthToken({
      accessToken: Redacted.make(`token-${count.issued}`),
      tokenType: "Bearer",
      issuedAt,
      expiresAt: issuedAt + lifetime,
      reusable: true,
      refreshToken: Redacted.make(`refresh-${count.issued}`)
    })
    return { token, source: "acquired" }
  })
  const current = Effect.flatMap(Clock.currentTimeMillis, (now): Effect.Effect<CachedToken, OAuthError> => {
    if (token?.expiresAt !== undefined && (isBehind || now < token.expiresAt))
      return Effect.succeed({ token, source: "cache" })
    return hasEnded ? loginNeeded : issue
  })
  const service = Layer.succeed(OAuthService, {
    getAccessToken: () => current,
    peek: () => undefined,
    refresh: () =>
      Effect.andThen(
        Effect.sync(() => (count.forced += 1)),
        issue
      ),
    find: () => Effect.die("not used here"),
    invalidate: () => Effect.sync(() => void (count.removed += 1)),
    authorize: () => Effect.die("not used here"),
    completeAuthorization: () => Effect.die("not used here"),
    authorizeDevice: () => Effect.die("not used here"),
    revoke: () => Effect.die("not used here")
  })
  const isValid = (candidate: Redacted.Redacted | undefined) =>
    Effect.map(
      Clock.currentTimeMillis,
      (now) =>
        candidate !== undefined &&
        token?.expiresAt !== undefined &&
        now < token.expiresAt &&
        token.isAccessToken(candidate)
    )
  return {
    layer: Layer.provideMerge(TokenInjector.layer, service),
    count,
    isValid,
    /** From now on only a login brings a new token. */
    endGrant: () => {
      hasEnded = true
    },
    /** From now on the cache takes an expired token for a valid one. */
    clockIsBehind: () => {
      isBehind = true
    }
  }
}

/** One request to a server that takes its time, in milliseconds for each attempt, before it looks at the token. */
const callSlowServer = (person: ReturnType<typeof makePerson>, ...delays: ReadonlyArray<number>) => {
  const left = [...delays]
  return TokenInjector.use((injector) =>
    injector.use(request, (token) =>
      Effect.gen(function* () {
        yield* Effect.sleep(left.shift() ?? 0)
        return (yield* person.isValid(token)) ? accepted("answer") : refused(401, { error: "invalid_token" })
      })
    )
  )
}

describe("a token that expires on its way to the server", () => {
  it.effect("a token that expired on its way is renewed as usual, without a forced refresh", () => {
    const person = makePerson()
    return Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(callSlowServer(person, 1200, 1200))
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), "answer")
      assert.deepStrictEqual(person.count, { issued: 3, forced: 0, removed: 0 })
    }).pipe(Effect.provide(person.layer))
  })

  it.effect("a request whose tokens expire again and again fails, and the grant stays", () => {
    const person = makePerson()
    return Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(Effect.flip(callSlowServer(person, 1200, 1200, 1200, 1200)))
      yield* TestClock.adjust("10 seconds")
      const error = yield* Fiber.join(fiber)
      assert.strictEqual(error.reason._tag, "UpstreamUnauthorized")
      assert.deepStrictEqual(person.count, { issued: 3, forced: 0, removed: 0 })
      assert.strictEqual(yield* callSlowServer(person), "answer")
    }).pipe(Effect.provide(person.layer))
  })

  it.effect("a token that is refused while it is valid is still replaced once by a forced refresh", () => {
    const person = makePerson()
    return Effect.gen(function* () {
      const seen: Array<string> = []
      const answer = yield* TokenInjector.use((injector) =>
        injector.use(request, (token) =>
          Effect.sync(() => {
            seen.push(token === undefined ? "none" : Redacted.value(token))
            return seen.length === 1 ? refused(401) : accepted("answer")
          })
        )
      )
      assert.strictEqual(answer, "answer")
      assert.deepStrictEqual(seen, ["token-1", "token-2"])
      assert.deepStrictEqual(person.count, { issued: 2, forced: 1, removed: 0 })
    }).pipe(Effect.provide(person.layer))
  })

  it.effect("a token that expires in the millisecond of its refusal has expired", () => {
    const person = makePerson()
    return Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(callSlowServer(person, lifetime))
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), "answer")
      assert.deepStrictEqual(person.count, { issued: 2, forced: 0, removed: 0 })
    }).pipe(Effect.provide(person.layer))
  })

  it.effect("a refusal of an expired token that cannot be repeated costs no token", () => {
    const person = makePerson()
    return Effect.gen(function* () {
      const fiber = yield* TokenInjector.use((injector) =>
        injector.use(request, () =>
          Effect.as(Effect.sleep(1200), refused(401, { error: "invalid_token" }, { repeatable: false }))
        )
      ).pipe(Effect.flip, Effect.forkChild)
      yield* TestClock.adjust("5 seconds")
      const { reason } = yield* Fiber.join(fiber)
      assert.deepInclude(reason, { _tag: "UpstreamUnauthorized", status: 401, repeatable: false })
      assert.deepStrictEqual(person.count, { issued: 1, forced: 0, removed: 0 })
    }).pipe(Effect.provide(person.layer))
  })

  it.effect("a refusal of a valid token that cannot be repeated replaces the token", () => {
    const person = makePerson()
    return Effect.gen(function* () {
      const { reason } = yield* TokenInjector.use((injector) =>
        injector.use(request, () => Effect.succeed(refused(401, undefined, { repeatable: false })))
      ).pipe(Effect.flip)
      assert.deepInclude(reason, { _tag: "UpstreamUnauthorized", status: 401, repeatable: false })
      assert.deepStrictEqual(person.count, { issued: 2, forced: 1, removed: 0 })
    }).pipe(Effect.provide(person.layer))
  })

  it.effect("an expired token that the cache still gives is replaced by a forced refresh", () => {
    const person = makePerson()
    return Effect.gen(function* () {
      person.clockIsBehind()
      const seen: Array<string | undefined> = []
      const fiber = yield* TokenInjector.use((injector) =>
        injector.use(request, (token) =>
          Effect.gen(function* () {
            const isFirst = seen.push(token && Redacted.value(token)) === 1
            yield* Effect.sleep(isFirst ? 1200 : 0)
            return isFirst ? refused(401) : accepted("answer")
          })
        )
      ).pipe(Effect.forkChild)
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), "answer")
      assert.deepStrictEqual(seen, ["token-1", "token-2"])
    }).pipe(Effect.provide(person.layer))
  })

  it.effect("a token that expired and cannot be renewed leads to a login, with what the server said", () => {
    const person = makePerson()
    return Effect.gen(function* () {
      const challenge = { error: "invalid_token", resourceMetadata: "/metadata" }
      const fiber = yield* TokenInjector.use((injector) =>
        injector.use(request, () => {
          person.endGrant()
          return Effect.as(Effect.sleep(1200), refused(401, challenge))
        })
      ).pipe(Effect.flip, Effect.forkChild)
      yield* TestClock.adjust("5 seconds")
      const { reason } = yield* Fiber.join(fiber)
      assert(reason._tag === "AuthorizationRequired")
      assert.deepStrictEqual(reason.challenge, challenge)
    }).pipe(Effect.provide(person.layer))
  })
})
