import { assert, describe, it } from "@effect/vitest"
import {
  AuthorizationRequired,
  decodeOAuthConfig,
  OAuthError,
  OAuthService,
  OAuthToken,
  type AccessTokenRequest,
  type CachedToken,
  type Challenge
} from "@secure-mcp/oauth-core"
import { accepted, refused, refusesToken, TokenInjector } from "@secure-mcp/transport-injection"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as TestClock from "effect/testing/TestClock"
import { scriptedOAuthService } from "./ScriptedOAuthService.ts"

const request: AccessTokenRequest = {
  serverName: "remote",
  subject: "alice",
  config: Result.getOrThrow(decodeOAuthConfig({ enabled: true, grant_type: "authorization_code" }))
}

/** A person's tokens, as `OAuthService` gives them: none before the login, a new one for each refresh. */
const makePerson = ({ refreshable = true }: { readonly refreshable?: boolean } = {}) => {
  let token: OAuthToken | undefined
  let issued = 0
  const refreshes: Array<string> = []
  const issue = Effect.map(Clock.currentTimeMillis, (issuedAt) => {
    issued += 1
    token = new OAuthToken({
      accessToken: Redacted.make(`token-${issued}`),
      tokenType: "Bearer",
      issuedAt,
      reusable: true,
      ...(refreshable ? { refreshToken: Redacted.make(`refresh-${issued}`) } : {})
    })
    return { token, source: "acquired" as const }
  })
  const loginNeeded = OAuthError.fail({
    operation: "get an access token",
    serverName: "remote",
    correlationId: "1",
    reason: new AuthorizationRequired({})
  })
  const service = Layer.succeed(OAuthService, {
    peek: () => undefined,
    getAccessToken: () =>
      Effect.suspend((): Effect.Effect<CachedToken, OAuthError> =>
        token === undefined ? loginNeeded : Effect.succeed({ token, source: "cache" as const })
      ),
    refresh: (_, { refused } = {}) =>
      Effect.suspend((): Effect.Effect<CachedToken, OAuthError> => {
        if (refused !== undefined && token?.isAccessToken(refused) !== true && token !== undefined)
          return Effect.succeed({ token, source: "cache" as const })
        if (token?.refreshToken === undefined) {
          token = undefined
          return loginNeeded
        }
        refreshes.push(Redacted.value(token.refreshToken))
        return issue
      }),
    find: () => Effect.die("not used here"),
    invalidate: () =>
      Effect.sync(() => {
        token = undefined
      }),
    authorize: () => Effect.die("not used here"),
    completeAuthorization: () => Effect.die("not used here"),
    authorizeDevice: () => Effect.die("not used here"),
    revoke: () => Effect.die("not used here")
  })
  return { layer: Layer.provideMerge(TokenInjector.layer, service), logIn: issue, refreshes }
}

interface Server {
  takes: (token: string | undefined) => boolean
  status: number
  challenge: Challenge
  readonly seen: Array<string | undefined>
  readonly call: Effect.Effect<string, OAuthError, TokenInjector>
}

/** A server that takes what `takes` says, and what it was sent. */
const makeServer = () => {
  const server: Server = {
    takes: () => true,
    status: 401,
    challenge: { error: "invalid_token" },
    seen: [],
    call: TokenInjector.use((injector) =>
      injector.use(request, (token) =>
        Effect.sync(() => {
          const text = token && Redacted.value(token)
          server.seen.push(text)
          if (server.takes(text)) return accepted(text ?? "open")
          assert.isTrue(refusesToken(server.status, server.challenge))
          return refused(server.status, server.challenge)
        })
      )
    )
  }
  return server
}

const failure = Effect.map(({ reason }: OAuthError) => reason)

describe("a server that asks nobody for a token", () => {
  it.effect("an attempt without a token is made, and its answer is passed on", () => {
    const [person, server] = [makePerson(), makeServer()]
    return Effect.gen(function* () {
      assert.strictEqual(yield* server.call, "open")
      yield* person.logIn
      assert.strictEqual(yield* server.call, "token-1", "a token at hand goes with every request")
    }).pipe(Effect.provide(person.layer))
  })

  it.effect("leads to a login by its first refusal, with what it said", () => {
    const [person, server] = [makePerson(), makeServer()]
    server.takes = () => false
    server.challenge = { error: undefined, scope: "mcp:read", resourceMetadata: "/metadata" }
    return Effect.gen(function* () {
      const error = yield* Effect.flip(server.call)
      assert.strictEqual(error.correlationId, "1")
      assert(error.reason._tag === "AuthorizationRequired")
      assert.deepStrictEqual(error.reason.challenge, server.challenge)
      assert.deepStrictEqual(server.seen, [undefined])
    }).pipe(Effect.provide(person.layer))
  })
})

describe("a person's token that cannot be had", () => {
  it.effect("makes no attempt without a token if the reason is another one than a login", () =>
    Effect.gen(function* () {
      const attempts: Array<unknown> = []
      const error = yield* TokenInjector.use((injector) =>
        injector.use(request, (token) => Effect.sync(() => accepted(attempts.push(token))))
      ).pipe(Effect.flip, Effect.provide(scriptedOAuthService().layer))
      assert.strictEqual(error.reason._tag, "ConnectionFailed")
      assert.deepStrictEqual(attempts, [])
    })
  )
})

describe("a person's fresh token that is refused, too", () => {
  it.effect("ends the grant after one refresh, and the next login works", () => {
    const [person, server] = [makePerson(), makeServer()]
    return Effect.gen(function* () {
      yield* person.logIn
      server.takes = () => false
      for (let call = 1; call <= 3; call += 1)
        assert.strictEqual((yield* failure(Effect.flip(server.call)))._tag, "AuthorizationRequired")
      assert.deepStrictEqual(person.refreshes, ["refresh-1"])
      assert.deepStrictEqual(server.seen, ["token-1", "token-2", undefined, undefined])
      yield* TestClock.adjust("1 second")
      yield* person.logIn
      server.takes = (token) => token === "token-3"
      assert.strictEqual(yield* server.call, "token-3")
    }).pipe(Effect.provide(person.layer))
  })

  it.effect.each([true, false])(
    "a login that does not help is an error, and no other begins for ten minutes (refreshable: %s)",
    (refreshable) => {
      const [person, server] = [makePerson({ refreshable }), makeServer()]
      return Effect.gen(function* () {
        yield* person.logIn
        server.takes = () => false
        assert.strictEqual((yield* failure(Effect.flip(server.call)))._tag, "AuthorizationRequired")
        yield* TestClock.adjust("9 minutes")
        yield* person.logIn
        const reason = yield* failure(Effect.flip(server.call))
        assert.deepInclude(reason, { _tag: "UpstreamUnauthorized", status: 401, afterLogin: true })
        assert.include(reason.message, "Check `audience`")
        const refreshes = person.refreshes.length
        yield* TestClock.adjust("9 minutes")
        assert.strictEqual((yield* failure(Effect.flip(server.call)))._tag, "UpstreamUnauthorized")
        assert.lengthOf(person.refreshes, refreshes, "no refresh for each request of a client")
        yield* TestClock.adjust("61 seconds")
        assert.strictEqual((yield* failure(Effect.flip(server.call)))._tag, "AuthorizationRequired")
      }).pipe(Effect.provide(person.layer))
    }
  )

  it.effect("leads to another login if it cannot be refreshed and was good for a while", () => {
    const [person, server] = [makePerson({ refreshable: false }), makeServer()]
    return Effect.gen(function* () {
      for (let login = 1; login <= 4; login += 1) {
        yield* person.logIn
        server.takes = () => true
        yield* server.call
        server.takes = () => false
        assert.strictEqual((yield* failure(Effect.flip(server.call)))._tag, "AuthorizationRequired")
        yield* TestClock.adjust("1 second")
      }
    }).pipe(Effect.provide(person.layer))
  })

  it.effect("does not take away the token of a login that came in between", () => {
    const [person, server] = [makePerson(), makeServer()]
    return Effect.gen(function* () {
      yield* person.logIn
      const service = yield* TokenInjector
      yield* service
        .use(request, (token) =>
          token !== undefined && Redacted.value(token) === "token-2"
            ? Effect.as(person.logIn, refused(401))
            : Effect.succeed(refused(401))
        )
        .pipe(Effect.flip)
      assert.strictEqual(yield* server.call, "token-3")
    }).pipe(Effect.provide(person.layer))
  })

  it.effect.each([400, 403])("HTTP %d with invalid_token refuses a token as 401 does", (status) => {
    const [person, server] = [makePerson(), makeServer()]
    return Effect.gen(function* () {
      yield* person.logIn
      server.takes = (token) => token === "token-2"
      server.status = status
      assert.strictEqual(yield* server.call, "token-2")
      server.takes = () => false
      assert.strictEqual((yield* failure(Effect.flip(server.call)))._tag, "AuthorizationRequired")
    }).pipe(Effect.provide(person.layer))
  })

  it.effect("the reason to log in has what the server said last", () => {
    const [person, server] = [makePerson(), makeServer()]
    return Effect.gen(function* () {
      yield* person.logIn
      server.takes = () => false
      server.challenge = { error: "invalid_token", resourceMetadata: "/metadata" }
      const reason = yield* failure(Effect.flip(server.call))
      assert(reason._tag === "AuthorizationRequired")
      assert.deepStrictEqual(reason.challenge, server.challenge)
    }).pipe(Effect.provide(person.layer))
  })

  it.effect("more scope is asked for also while logins are useless", () => {
    const [person, server] = [makePerson(), makeServer()]
    return Effect.gen(function* () {
      yield* person.logIn
      server.takes = () => false
      yield* Effect.flip(server.call)
      yield* person.logIn
      assert.strictEqual((yield* failure(Effect.flip(server.call)))._tag, "UpstreamUnauthorized")
      server.status = 403
      server.challenge = { error: "insufficient_scope", scope: "mcp:admin" }
      const before = person.refreshes.length
      const reason = yield* failure(Effect.flip(server.call))
      assert.strictEqual(reason._tag, "StepUpExhausted")
      assert.lengthOf(person.refreshes, before + 2)
    }).pipe(Effect.provide(person.layer))
  })
})
