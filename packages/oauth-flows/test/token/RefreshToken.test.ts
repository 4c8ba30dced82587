import { assert, describe, it } from "@effect/vitest"
import { OAuthToken } from "@secure-mcp/oauth-core"
import { Answer, refusedPort } from "@secure-mcp/testing"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import { makeGrants, requestFor, settle } from "../TestGrants.ts"
import {
  accessToken,
  assertFailsWith,
  failureOf,
  formsAt,
  makeLogin,
  refreshToken,
  responseTo
} from "../TestLogin.ts"

const invalidGrant = Answer.json({ error: "invalid_grant" }, { status: 400 })

/** A person's token with the refresh token "first", and the server it is from. */
const makeGranted = Effect.fnUntraced(function* (oauth: Readonly<Record<string, unknown>> = {}) {
  const login = yield* makeLogin({}, oauth)
  const { begin, grants, server } = login
  yield* server.enqueue("/token", Answer.token({ access_token: "old", refresh_token: "first" }))
  const { token } = yield* grants.redeem(responseTo(yield* begin()))
  const refreshes = Effect.map(formsAt(server), (forms) => forms.slice(1))
  return { ...login, token, refreshes }
})

describe("the refresh token grant (RFC 6749 §6)", () => {
  it.effect("a refresh requests no more scope than was granted, and takes the new refresh token", () =>
    Effect.gen(function* () {
      const { grants, refreshes, request, server, token } = yield* makeGranted({ scope: "a b" })
      yield* server.enqueue("/token", Answer.token({ access_token: "new", refresh_token: "second" }))
      const renewed = yield* grants.acquire(request, token)
      assert.deepStrictEqual([accessToken(renewed), refreshToken(renewed)], ["new", "second"])
      assert.deepStrictEqual(renewed.scope, ["a", "b"])
      assert.deepStrictEqual(renewed.grantedTo, token.grantedTo)
      assert.deepStrictEqual(yield* refreshes, [
        {
          grant_type: "refresh_token",
          refresh_token: "first",
          resource: "https://mcp.example.com/mcp",
          client_id: "gateway"
        }
      ])
    })
  )

  it.effect("a refresh whose answer has no refresh token keeps the old one", () =>
    Effect.gen(function* () {
      const { grants, refreshes, request, server, token } = yield* makeGranted()
      yield* server.always("/token", Answer.token())
      const once = yield* grants.acquire(request, token)
      const twice = yield* grants.acquire(request, once)
      assert.strictEqual(refreshToken(twice), "first")
      assert.deepStrictEqual(
        (yield* refreshes).map((form) => form["refresh_token"]),
        ["first", "first"]
      )
    })
  )

  it.effect("without a refresh token a person has to log in", () =>
    Effect.gen(function* () {
      const { grants, request, token } = yield* makeGranted()
      const { refreshToken: _, ...fields } = token
      yield* assertFailsWith(grants.acquire(request, undefined), "AuthorizationRequired")
      yield* assertFailsWith(grants.acquire(request, new OAuthToken(fields)), "AuthorizationRequired")
    })
  )

  it.effect("after invalid_grant a person has to log in, and the refresh token is not sent again", () =>
    Effect.gen(function* () {
      const { grants, refreshes, request, server, token } = yield* makeGranted()
      yield* server.always("/token", invalidGrant)
      yield* assertFailsWith(grants.acquire(request, token), "AuthorizationRequired")
      yield* assertFailsWith(grants.acquire(request, token), "AuthorizationRequired")
      assert.lengthOf(yield* refreshes, 1)
    })
  )

  const passing = [
    ["502", Answer.status(502), "EndpointUnavailable"],
    [
      "500 with a page",
      Answer.text("<html>", { status: 500, contentType: "text/html" }),
      "EndpointUnavailable"
    ],
    ["a page", Answer.text("<html>", { contentType: "text/html" }), "InvalidResponse"],
    ["a broken connection", Answer.reset, "ConnectionFailed"],
    ["half an answer", Answer.resetMidBody, "ConnectionFailed"],
    ["another refusal", Answer.json({ error: "invalid_target" }, { status: 400 }), "RequestRefused"]
  ] as const
  it.effect.each(passing)(
    "a refresh that meets %s is sent once and does not end the grant",
    ([, answer, tag]) =>
      Effect.gen(function* () {
        const { grants, refreshes, request, server, token } = yield* makeGranted()
        yield* server.enqueue("/token", answer, Answer.token({ access_token: "new" }))
        yield* assertFailsWith(grants.acquire(request, token), tag)
        assert.lengthOf(yield* refreshes, 1)
        yield* TestClock.adjust("1 second")
        assert.strictEqual(accessToken(yield* grants.acquire(request, token)), "new")
      })
  )

  it.effect.each([429, 503])("a refresh that a busy server turns away with %i is sent again", (status) =>
    Effect.gen(function* () {
      const { grants, refreshes, request, server, token } = yield* makeGranted()
      yield* server.enqueue("/token", Answer.status(status), Answer.token({ access_token: "new" }))
      assert.strictEqual(accessToken(yield* settle(grants.acquire(request, token))), "new")
      assert.lengthOf(yield* refreshes, 2)
    })
  )

  it.effect("a refresh at a server that hangs fails after the timeout without a retry", () =>
    Effect.gen(function* () {
      const { refreshes, request, server, token } = yield* makeGranted()
      const grants = yield* makeGrants({ authTimeout: "3 seconds" })
      yield* server.always("/token", Answer.hang)
      yield* assertFailsWith(settle(grants.acquire(request, token)), "RequestTimeout")
      assert.lengthOf(yield* refreshes, 1)
    })
  )

  it.effect("a refresh that found no connection is retried, because nothing was sent", () =>
    Effect.gen(function* () {
      const grants = yield* makeGrants({ authTimeout: "1 hour" })
      const port = yield* refusedPort
      const request = requestFor({
        grant_type: "authorization_code",
        token_url: `http://127.0.0.1:${port}/token`,
        authorization_url: `http://127.0.0.1:${port}/authorize`
      })
      const token = new OAuthToken({
        accessToken: Redacted.make("old"),
        refreshToken: Redacted.make("first"),
        tokenType: "Bearer",
        issuedAt: 0,
        reusable: true,
        grantedTo: { clientId: "gateway" }
      })
      const reason = yield* failureOf(settle(grants.acquire(request, token)))
      assert.deepInclude(reason, { _tag: "ConnectionFailed", problem: "connection refused" })
      assert.isAtLeast(yield* Clock.currentTimeMillis, 6000, "two waits, of 2 s and 4 s")
    })
  )

  it.effect("a refresh token is never sent to another issuer or for another client", () =>
    Effect.gen(function* () {
      const { grants, refreshes, request, token } = yield* makeGranted()
      const elsewhere = yield* makeLogin()
      for (const other of [
        elsewhere.request,
        { ...request, config: { ...request.config, clientId: "another" } }
      ]) {
        yield* assertFailsWith(grants.acquire(other, token), "AuthorizationRequired")
      }
      assert.lengthOf(yield* refreshes, 0)
      assert.lengthOf(yield* formsAt(elsewhere.server), 0)
    })
  )
})

describe("step-up of a person's grant (RFC 6750 §3.1)", () => {
  const challenge = { error: "insufficient_scope", scope: "write" }

  it.effect("a step-up asks a person for the granted and the wanted scope, and refreshes nothing", () =>
    Effect.gen(function* () {
      const { begin, grants, refreshes, request, token } = yield* makeGranted({ scope: "read" })
      const reason = yield* failureOf(grants.acquire({ ...request, challenge }, token))
      assert.deepInclude(reason, {
        _tag: "AuthorizationRequired",
        challenge: { error: "insufficient_scope", scope: "read write" }
      })
      assert.lengthOf(yield* refreshes, 0)
      assert(reason._tag === "AuthorizationRequired")
      const url = yield* begin({ ...request, challenge: reason.challenge })
      assert.strictEqual(url.searchParams.get("scope"), "read write")
    })
  )

  it.effect("the first login and two step-ups in vain, whatever they ask for, end with StepUpExhausted", () =>
    Effect.gen(function* () {
      const { begin, grants, request, server, token } = yield* makeGranted({ scope: "read" })
      yield* server.always("/token", Answer.token({ scope: "read" }))
      let current = token
      for (const scope of ["write", "admin"]) {
        const wanted = { ...request, challenge: { ...challenge, scope } }
        const reason = yield* failureOf(grants.acquire(wanted, current))
        // Another attempt sends nothing as long as no person consents.
        yield* assertFailsWith(grants.acquire(wanted, current), "AuthorizationRequired")
        assert(reason._tag === "AuthorizationRequired")
        const url = yield* begin({ ...request, challenge: reason.challenge })
        current = (yield* grants.redeem(responseTo(url))).token
      }
      const before = (yield* server.requests).length
      const again = grants.acquire({ ...request, challenge }, current)
      assert.deepInclude(yield* failureOf(again), {
        _tag: "StepUpExhausted",
        attempts: 3,
        scope: "read write"
      })
      assert.lengthOf(yield* server.requests, before)
      const other = { ...request, subject: "bob", challenge }
      yield* assertFailsWith(grants.acquire(other, current), "AuthorizationRequired")
      yield* TestClock.adjust("11 minutes")
      yield* assertFailsWith(again, "AuthorizationRequired")
    })
  )

  it.effect("a scope that the token has already is refreshed for once before a person is asked", () =>
    Effect.gen(function* () {
      const { grants, refreshes, request, server, token } = yield* makeGranted({ scope: "read" })
      yield* server.always("/token", Answer.token())
      const wanted = { ...request, challenge: { ...challenge, scope: "read" } }
      const renewed = yield* grants.acquire(wanted, token)
      assert.lengthOf(yield* refreshes, 1)
      yield* assertFailsWith(grants.acquire(wanted, renewed), "AuthorizationRequired")
      assert.lengthOf(yield* refreshes, 1)
    })
  )
})
