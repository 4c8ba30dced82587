import { assert, describe, it } from "@effect/vitest"
import { OAuthToken } from "@secure-mcp/oauth-core"
import { Answer, ProviderBehaviour } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"
import { accessToken, assertFailsWith, formsAt, makeLogin, responseTo } from "../TestLogin.ts"

/** A person's grant at a server that refuses to refresh it. */
const makeRefused = Effect.fnUntraced(function* (
  answer: Answer,
  oauth: Readonly<Record<string, unknown>> = {}
) {
  const login = yield* makeLogin({}, oauth)
  const { begin, grants, server } = login
  yield* server.enqueue("/token", Answer.token({ access_token: "old", refresh_token: "first" }))
  const { token } = yield* grants.redeem(responseTo(yield* begin()))
  yield* server.always("/token", answer)
  const refreshes = Effect.map(formsAt(server), (forms) =>
    forms.filter(({ grant_type }) => grant_type === "refresh_token")
  )
  return { ...login, token, refreshes }
})

/** The same token, as it is read from a store. */
const readAgain = (token: OAuthToken) =>
  Effect.flatMap(Schema.encodeEffect(OAuthToken)(token), Schema.decodeEffect(OAuthToken))

const { refusesRefresh } = ProviderBehaviour
const noCode = (status: number, description?: string) =>
  refusesRefresh({ error: undefined, status, ...(description === undefined ? {} : { description }) })

describe("a dead refresh token", () => {
  const dead = [
    ["invalid_grant", refusesRefresh()],
    ["invalid_request", refusesRefresh({ error: "invalid_request" })],
    ["unauthorized_client", refusesRefresh({ error: "unauthorized_client" })],
    ["unauthorized_client with HTTP 403", refusesRefresh({ error: "unauthorized_client", status: 403 })],
    ["invalid_token with HTTP 401", refusesRefresh({ error: "invalid_token", status: 401 })],
    ["bad_refresh_token in a success", refusesRefresh({ error: "bad_refresh_token", status: 200 })],
    ["access_denied", refusesRefresh({ error: "access_denied" })],
    ["a code nobody knows", refusesRefresh({ error: "REFRESH-4711", status: 422 })],
    ["no code and HTTP 400", noCode(400)],
    ["no code and HTTP 401", noCode(401)],
    ["no code, HTTP 403 and words about the grant", noCode(403, "The refresh token has expired")],
    ["an error that is an object in a success", Answer.json({ error: { message: "no" } })],
    ["a plain no in a success", Answer.json({ ok: false })],
    ["a page with HTTP 400", Answer.text("<html>", { contentType: "text/html", status: 400 })],
    ["text with HTTP 401", Answer.text("Unauthorized", { status: 401 })]
  ] as const
  it.effect.each(dead)(
    "a refresh that is answered with %s is tried once, then a person logs in",
    ([, answer]) =>
      Effect.gen(function* () {
        const { grants, refreshes, request, token } = yield* makeRefused(answer)
        yield* assertFailsWith(grants.acquire(request, token), "AuthorizationRequired")
        yield* assertFailsWith(grants.acquire(request, yield* readAgain(token)), "AuthorizationRequired")
        assert.lengthOf(yield* refreshes, 1)
      })
  )

  it.effect("a new grant with the same refresh token as a dead one is renewed", () =>
    Effect.gen(function* () {
      const { begin, grants, refreshes, request, server, token } = yield* makeRefused(refusesRefresh())
      yield* assertFailsWith(grants.acquire(request, token), "AuthorizationRequired")
      yield* TestClock.adjust("1 minute")
      yield* server.always("/token", Answer.token({ access_token: "new", refresh_token: "first" }))
      const { token: granted } = yield* grants.redeem(responseTo(yield* begin()))
      assert.strictEqual(accessToken(yield* grants.acquire(request, granted)), "new")
      assert.lengthOf(yield* refreshes, 2)
    })
  )
})

describe("a refusal that says nothing about the grant", () => {
  const alive = [
    ["temporarily_unavailable", refusesRefresh({ error: "temporarily_unavailable" })],
    ["server_error", refusesRefresh({ error: "server_error" })],
    ["slow_down", refusesRefresh({ error: "slow_down" })],
    ["invalid_scope", refusesRefresh({ error: "invalid_scope" })],
    ["invalid_target", refusesRefresh({ error: "invalid_target" })],
    ["invalid_client for a configured client", refusesRefresh({ error: "invalid_client", status: 401 })],
    ["HTTP 404", Answer.text("not found", { status: 404 })],
    ["a firewall's page", Answer.text("<html>", { contentType: "text/html", status: 403 })],
    ["a page in a success", Answer.text("<html>", { contentType: "text/html" })]
  ] as const
  it.effect.each(alive)(
    "after %s the server is left alone for a second, and the grant goes on",
    ([, answer]) =>
      Effect.gen(function* () {
        const { grants, refreshes, request, server, token } = yield* makeRefused(answer)
        const failure = yield* Effect.flip(grants.acquire(request, token))
        assert.notStrictEqual(failure.reason._tag, "AuthorizationRequired")
        const again = yield* Effect.flip(grants.acquire(request, yield* readAgain(token)))
        assert.strictEqual(again.reason.message, failure.reason.message)
        assert.lengthOf(yield* refreshes, 1)
        yield* TestClock.adjust("1 second")
        yield* server.always("/token", Answer.token({ access_token: "new" }))
        assert.strictEqual(accessToken(yield* grants.acquire(request, token)), "new")
      })
  )

  it.effect("each such refusal doubles the time until the next refresh, up to a minute", () =>
    Effect.gen(function* () {
      const { grants, refreshes, request, token } = yield* makeRefused(
        refusesRefresh({ error: "invalid_scope" })
      )
      for (let second = 0; second < 10 * 60; second += 1) {
        yield* Effect.flip(grants.acquire(request, token))
        yield* TestClock.adjust("1 second")
      }
      assert.lengthOf(yield* refreshes, 15)
    })
  )
})
