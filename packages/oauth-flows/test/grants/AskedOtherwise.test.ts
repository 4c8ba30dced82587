import { assert, describe, it } from "@effect/vitest"
import type { GrantRequest, OAuthToken } from "@secure-mcp/oauth-core"
import { Answer, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { makeGrants, requestFor } from "../TestGrants.ts"
import { assertFailsWith, failureOf, formsAt, makeLogin, refreshToken, responseTo } from "../TestLogin.ts"

const resource = "https://mcp.example.com/mcp"
const offline = { scopes_supported: ["offline_access"] }

describe("the login URL", () => {
  const prompts = [
    ["consent by default for a refresh token", {}, "consent"],
    ["what the configuration says", { authorize_params: { prompt: "select_account" } }, "select_account"],
    ["none where the configuration says null", { authorize_params: { prompt: null } }, null]
  ] as const
  it.effect.each(prompts)("the prompt of the login URL is %s", ([, oauth, prompt]) =>
    Effect.gen(function* () {
      const { begin } = yield* makeLogin(offline, { scope: "a", ...oauth })
      const { searchParams } = yield* begin()
      assert.deepStrictEqual(searchParams.getAll("prompt"), prompt === null ? [] : [prompt])
    })
  )

  it.effect("the login URL has no prompt when no refresh token is asked for", () =>
    Effect.gen(function* () {
      const { begin } = yield* makeLogin(offline, { scope: "a", offline_access: false })
      const { searchParams } = yield* begin()
      assert.isFalse(searchParams.has("prompt"))
      assert.strictEqual(searchParams.get("scope"), "a")
    })
  )

  it.effect("the login URL has the parameters of `authorize_params`, and the token request has not", () =>
    Effect.gen(function* () {
      const { begin, grants, server } = yield* makeLogin(
        {},
        { authorize_params: { access_type: "offline", max_age: 60 } }
      )
      yield* server.always("/token", Answer.token())
      const url = yield* begin()
      assert.strictEqual(url.searchParams.get("access_type"), "offline")
      assert.strictEqual(url.searchParams.get("max_age"), "60")
      yield* grants.redeem(responseTo(url))
      assert.notProperty((yield* formsAt(server))[0], "access_type")
    })
  )

  it.effect("a server without S256 in its metadata is refused, with the keys that help", () =>
    Effect.gen(function* () {
      const { begin } = yield* makeLogin({ code_challenge_methods_supported: ["plain"] })
      const reason = yield* failureOf(begin())
      assert.match(
        reason.message,
        /`code_challenge_methods_supported`.*`authorization_url` and `token_url` with `use_pkce`/
      )
    })
  )
})

describe("`resource: false`", () => {
  it.effect("`resource: false` sends no resource in the login, the exchange and the renewal", () =>
    Effect.gen(function* () {
      const { begin, grants, request, server } = yield* makeLogin({}, { resource: false })
      yield* server.always("/token", Answer.token({ refresh_token: "r" }))
      const url = yield* begin({ ...request, resourceUrl: resource })
      const { token } = yield* grants.redeem(responseTo(url))
      yield* grants.acquire({ ...request, resourceUrl: resource }, token)
      assert.isFalse(url.searchParams.has("resource"))
      assert.lengthOf(yield* formsAt(server), 2)
      for (const form of yield* formsAt(server)) assert.notProperty(form, "resource")
      assert.isUndefined(token.grantedTo?.resource)
    })
  )

  it.effect("`resource: false` sends no resource with client credentials", () =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      yield* server.always("/token", Answer.token())
      const grants = yield* makeGrants()
      yield* grants.acquire(requestFor({ token_url: server.endpoint("/token"), resource: false }), undefined)
      assert.notProperty((yield* formsAt(server))[0], "resource")
    })
  )
})

describe("a renewal", () => {
  const grant = Effect.fnUntraced(function* (oauth: Readonly<Record<string, unknown>>, granted?: string) {
    const login = yield* makeLogin(offline, { scope: "a b", ...oauth })
    yield* login.server.always(
      "/token",
      Answer.token({ refresh_token: "r", ...(granted === undefined ? {} : { scope: granted }) })
    )
    const { token } = yield* login.grants.redeem(responseTo(yield* login.begin()))
    return { ...login, token }
  })

  it.effect("a renewal has no scope by default", () =>
    Effect.gen(function* () {
      const { grants, request, server, token } = yield* grant({})
      yield* grants.acquire(request, token)
      assert.notProperty((yield* formsAt(server))[1], "scope")
    })
  )

  it.effect(
    "a renewal has the scope of the login with `scope_on_refresh`, though the answer did not repeat all of it",
    () =>
      Effect.gen(function* () {
        const { grants, request, server, token } = yield* grant({ scope_on_refresh: true }, "a b")
        assert.deepStrictEqual(token.scope, ["a", "b"])
        const renewed = yield* grants.acquire(request, token)
        yield* grants.acquire(request, renewed)
        assert.deepStrictEqual(
          (yield* formsAt(server)).slice(1).map((form) => form["scope"]),
          ["a b offline_access", "a b offline_access"]
        )
      })
  )

  it.effect("a renewal has the resource of the login, whatever the server's URL is by now", () =>
    Effect.gen(function* () {
      const { begin, grants, request, server } = yield* makeLogin({}, { resource: undefined })
      yield* server.always("/token", Answer.token({ refresh_token: "r" }))
      const asked = { ...request, resourceUrl: `${resource}/` }
      const { token } = yield* grants.redeem(responseTo(yield* begin(asked)))
      yield* grants.acquire({ ...asked, resourceUrl: resource }, token)
      assert.deepStrictEqual(
        (yield* formsAt(server)).map((form) => form["resource"]),
        [`${resource}/`, `${resource}/`]
      )
    })
  )
})

describe("scope names", () => {
  it.effect(
    "scope names are separated by commas where the configuration says so, in login, renewal and answer",
    () =>
      Effect.gen(function* () {
        const { begin, grants, request, server } = yield* makeLogin(
          {},
          {
            scope: "read write",
            scope_separator: ",",
            scope_on_refresh: true
          }
        )
        yield* server.always("/token", Answer.token({ refresh_token: "r", scope: "read,write,more" }))
        const url = yield* begin()
        assert.strictEqual(url.searchParams.get("scope"), "read,write")
        const { token } = yield* grants.redeem(responseTo(url))
        assert.deepStrictEqual(token.scope, ["read", "write", "more"])
        yield* grants.acquire(request, token)
        assert.strictEqual((yield* formsAt(server))[1]?.["scope"], "read,write")
      })
  )

  const answers = [
    ["repo,gist", ["repo", "gist"]],
    ["repo, gist", ["repo", "gist"]],
    ["gist,repo,more", ["gist", "repo", "more"]],
    ["repo gist", ["repo", "gist"]]
  ] as const
  it.effect.each(answers)("the scope %j of an answer is understood without a key", ([scope, names]) =>
    Effect.gen(function* () {
      const { begin, grants, server } = yield* makeLogin({}, { scope: "repo gist" })
      yield* server.always("/token", Answer.token({ scope }))
      const { token } = yield* grants.redeem(responseTo(yield* begin()))
      assert.deepStrictEqual(token.scope, [...names])
    })
  )

  it.effect("a scope name with a comma stays whole where that is what was asked for", () =>
    Effect.gen(function* () {
      const { begin, grants, server } = yield* makeLogin({}, { scope: "a,b" })
      yield* server.always("/token", Answer.token({ scope: "a,b" }))
      const { token } = yield* grants.redeem(responseTo(yield* begin()))
      assert.deepStrictEqual(token.scope, ["a,b"])
    })
  )

  it.effect(
    "an answer need not repeat openid, profile, email and offline_access; another missing scope is named",
    () =>
      Effect.gen(function* () {
        const { begin, grants, request, server } = yield* makeLogin(
          {},
          {
            scope: "openid profile email offline_access read"
          }
        )
        yield* server.enqueue("/token", Answer.token({ scope: "read" }), Answer.token({ scope: "openid" }))
        yield* grants.redeem(responseTo(yield* begin()))
        const refused = grants.redeem(responseTo(yield* begin({ ...request, subject: "other" })))
        const reason = yield* failureOf(refused)
        assert.include(reason.message, "lacks the scope read")
      })
  )
})

describe("a token without a lifetime", () => {
  it.effect.each([0, -1, "0"])(
    "a person's fresh token with `expires_in` %j is told, and its refresh token is kept",
    (expires_in) =>
      Effect.gen(function* () {
        const { begin, grants, server } = yield* makeLogin()
        yield* server.always("/token", Answer.token({ expires_in, refresh_token: "r" }))
        const kept: Array<OAuthToken> = []
        const keep = (_: GrantRequest, token: OAuthToken) =>
          Effect.sync(() => kept.push(token)).pipe(Effect.asVoid)
        const reason = yield* failureOf(grants.redeem(responseTo(yield* begin()), keep))
        assert.strictEqual(reason._tag, "InvalidResponse")
        assert.match(reason.message, /`expires_in` is zero or less.*`default_expires_in`/)
        assert.deepStrictEqual(kept.map(refreshToken), ["r"])
      })
  )
})

describe("the requests to endpoints", () => {
  it.effect("requests to endpoints say who sends them, and that they want no compression", () =>
    Effect.gen(function* () {
      const { begin, grants, request, server } = yield* makeLogin()
      yield* server.always("/token", Answer.token())
      const named = { ...request, userAgent: "secure-mcp-gateway/1.2.3" }
      yield* grants.redeem(responseTo(yield* begin(named)))
      const sent = (yield* server.requests).map(({ headers }) => [
        headers["user-agent"],
        headers["accept-encoding"]
      ])
      assert.deepStrictEqual(sent, [
        ["secure-mcp-gateway/1.2.3", "identity"],
        ["secure-mcp-gateway/1.2.3", "identity"]
      ])
    })
  )

  it.effect("requests have a User-Agent by default, and `custom_headers` decides for the token request", () =>
    Effect.gen(function* () {
      const { begin, grants, server } = yield* makeLogin({}, { custom_headers: { "User-Agent": "me/1" } })
      yield* server.always("/token", Answer.token())
      yield* grants.redeem(responseTo(yield* begin()))
      const [metadata, token] = yield* server.requests
      assert.match(String(metadata?.headers["user-agent"]), /^secure-mcp/)
      assert.strictEqual(token?.headers["user-agent"], "me/1")
    })
  )

  it.effect("Basic credentials are form-encoded, or raw where the configuration says so", () =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      yield* server.always("/token", Answer.token())
      const grants = yield* makeGrants()
      const at = { token_url: server.endpoint("/token"), client_secret: "a+b/c=" }
      yield* grants.acquire(requestFor(at), undefined)
      yield* grants.acquire(requestFor({ ...at, basic_encoding: "raw" }), undefined)
      const sent = (yield* server.requests).map(({ headers }) =>
        Buffer.from(String(headers["authorization"]).slice("Basic ".length), "base64").toString()
      )
      assert.deepStrictEqual(sent, ["gateway:a%2Bb%2Fc%3D", "gateway:a+b/c="])
    })
  )

  it.effect("a redirect of a token request is not followed, though it stays within the origin", () =>
    Effect.gen(function* () {
      const { begin, grants, server } = yield* makeLogin()
      yield* server.always("/token", Answer.redirect("/token2", 307))
      yield* assertFailsWith(grants.redeem(responseTo(yield* begin())), "RedirectRefused")
      assert.isEmpty(yield* server.requestsTo("/token2"))
    })
  )
})
