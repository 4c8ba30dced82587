import { assert, describe, it } from "@effect/vitest"
import { Answer, assertNoCanary, canary } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import { createHash } from "node:crypto"
import { makeLog, correlationId, makeGrants, reasonOf, requestFor } from "../TestGrants.ts"
import {
  accessToken,
  assertFailsWith,
  failureOf,
  formsAt,
  makeLogin,
  redirectUri,
  refreshToken,
  responseTo
} from "../TestLogin.ts"

const parametersOf = (url: URL) => Object.fromEntries(url.searchParams)

describe("the authorization request", () => {
  it.effect("an authorization URL has the parameters of RFC 6749, RFC 7636 and RFC 8707", () =>
    Effect.gen(function* () {
      const { begin, server } = yield* makeLogin({}, { scope: "mcp:read", audience: "https://api" })
      const url = yield* begin()
      const { code_challenge, state, ...rest } = parametersOf(url)
      assert.strictEqual(url.origin + url.pathname, server.endpoint("/authorize"))
      assert.deepStrictEqual(rest, {
        response_type: "code",
        client_id: "gateway",
        redirect_uri: redirectUri,
        scope: "mcp:read",
        code_challenge_method: "S256",
        resource: "https://mcp.example.com/mcp",
        audience: "https://api"
      })
      assert.match(code_challenge ?? "", /^[\w-]{43}$/)
      assert.match(state ?? "", /^[\w-]{43}$/)
    })
  )

  it.effect("an authorization URL keeps the query of its endpoint", () =>
    Effect.gen(function* () {
      const { begin } = yield* makeLogin({ authorization_endpoint: "http://127.0.0.1:1/a?tenant=a%20b&x=" })
      assert.deepInclude(parametersOf(yield* begin()), { tenant: "a b", x: "", response_type: "code" })
    })
  )

  it.effect("an authorization URL is reused for five minutes and valid for ten", () =>
    Effect.gen(function* () {
      const { begin, grants, server } = yield* makeLogin()
      yield* server.always("/token", Answer.token())
      const first = yield* begin()
      yield* TestClock.adjust("299 seconds")
      assert.strictEqual((yield* begin()).href, first.href)
      yield* TestClock.adjust("1 second")
      const second = yield* begin()
      for (const name of ["state", "code_challenge"]) {
        assert.notStrictEqual(second.searchParams.get(name), first.searchParams.get(name))
      }
      yield* TestClock.adjust("299 seconds")
      yield* grants.redeem(responseTo(first))
      yield* TestClock.adjust("301 seconds")
      yield* assertFailsWith(grants.redeem(responseTo(second)), "AuthorizationResponseInvalid")
    })
  )

  it.effect("another person, server, challenge or redirect URI gets another authorization URL", () =>
    Effect.gen(function* () {
      const { begin, grants, request } = yield* makeLogin()
      const urls = [
        yield* begin(),
        yield* begin({ ...request, subject: "alice" }),
        yield* begin({ ...request, subject: "bob" }),
        yield* begin({ ...request, serverName: "other" }),
        yield* begin({ ...request, config: { ...request.config } }),
        yield* begin({ ...request, challenge: { error: "insufficient_scope", scope: "more" } }),
        new URL((yield* grants.authorize(request, "http://127.0.0.1:1/other")).authorizationUrl)
      ]
      assert.strictEqual(new Set(urls.map((url) => url.searchParams.get("state"))).size, urls.length)
    })
  )

  it.effect.each([
    ["101 names", Array.from({ length: 101 }, (_, index) => `scope-${index}`).join(" ")],
    ["5000 characters", "s".repeat(5000)]
  ])("a challenge that demands %s begins no login", ([, scope]) =>
    Effect.gen(function* () {
      const { begin, grants, request } = yield* makeLogin({}, { scope: "read" })
      const refused = yield* failureOf(begin({ ...request, challenge: { scope } }))
      assert.deepInclude(refused, { _tag: "StepUpExhausted", tooLong: true })
      const stepUp = { ...request, challenge: { error: "insufficient_scope", scope } }
      assert.deepInclude(yield* failureOf(grants.acquire(stepUp, undefined)), { tooLong: true })
      assert.isBelow((yield* begin()).href.length, 1000)
    })
  )

  it.effect("a configured scope may be as long as its operator wants", () =>
    Effect.gen(function* () {
      const scope = Array.from({ length: 150 }, (_, index) => `scope-${index}`).join(" ")
      const { begin, request } = yield* makeLogin({}, { scope })
      const url = yield* begin({ ...request, challenge: { scope: "more" } })
      assert.strictEqual(url.searchParams.get("scope"), `${scope} more`)
    })
  )

  it.effect("the oldest pending authorization is evicted when there are over a thousand", () =>
    Effect.gen(function* () {
      const { begin, grants, request, server } = yield* makeLogin()
      yield* server.always("/token", Answer.token())
      const first = yield* begin()
      const second = yield* begin({ ...request, subject: "1" })
      for (let person = 2; person <= 1000; person++) yield* begin({ ...request, subject: String(person) })
      yield* assertFailsWith(grants.redeem(responseTo(first)), "AuthorizationResponseInvalid")
      yield* grants.redeem(responseTo(second))
    })
  )

  it.effect("a person's eleventh login to a server evicts the first, and nobody else's", () =>
    Effect.gen(function* () {
      const { begin, grants, request, server } = yield* makeLogin()
      yield* server.always("/token", Answer.token())
      const ofOther = yield* begin({ ...request, subject: "other" })
      const demanding = (scope: number) => begin({ ...request, challenge: { scope: `scope-${scope}` } })
      const first = yield* demanding(1)
      const second = yield* demanding(2)
      for (let scope = 3; scope <= 11; scope++) yield* demanding(scope)
      yield* assertFailsWith(grants.redeem(responseTo(first)), "AuthorizationResponseInvalid")
      yield* grants.redeem(responseTo(second))
      yield* grants.redeem(responseTo(ofOther))
    })
  )

  const scopes = [
    ["as configured", {}, { scope: "a" }, undefined, "a"],
    ["with that of the challenge", {}, { scope: "a" }, "b a", "a b"],
    ["none", { scopes_supported: ["offline_access"] }, {}, undefined, undefined],
    [
      "with a refresh token where that is listed",
      { scopes_supported: ["offline_access"] },
      { scope: "a" },
      undefined,
      "a offline_access"
    ],
    ["without one where it is not", { scopes_supported: ["a"] }, { scope: "a" }, "offline_access", "a"],
    ["as the operator insists", {}, { scope: "a offline_access" }, undefined, "a offline_access"],
    [
      "with a refresh token that the challenge wants, where the server lists nothing",
      {},
      {},
      "a offline_access",
      "a offline_access"
    ],
    [
      "without a refresh token where the operator wants none",
      { scopes_supported: ["offline_access"] },
      { scope: "a", offline_access: false },
      "offline_access",
      "a"
    ]
  ] as const
  it.effect.each(scopes)("the requested scope: %s", ([, metadata, oauth, challenged, expected]) =>
    Effect.gen(function* () {
      const { begin, request } = yield* makeLogin(metadata, oauth)
      const url = yield* begin({ ...request, challenge: { scope: challenged } })
      assert.strictEqual(url.searchParams.get("scope") ?? undefined, expected)
      assert.strictEqual(
        url.searchParams.get("prompt"),
        expected?.includes("offline_access") === true ? "consent" : null
      )
    })
  )

  it.effect("an authorization URL is always http or https", () =>
    Effect.gen(function* () {
      const grants = yield* makeGrants()
      const { request } = yield* makeLogin({ authorization_endpoint: "javascript:alert(1)" })
      yield* assertFailsWith(grants.authorize(request, redirectUri), "DiscoveryFailed")
    })
  )

  it.effect("no authorization URL is made for another grant", () =>
    Effect.gen(function* () {
      const grants = yield* makeGrants()
      const request = requestFor({ token_url: "http://127.0.0.1:1/token" })
      yield* assertFailsWith(grants.authorize(request, redirectUri), "Misconfigured")
    })
  )
})

describe("PKCE (RFC 7636)", () => {
  const endpoints = {
    grant_type: "authorization_code",
    token_url: "http://127.0.0.1:1/token",
    authorization_url: "http://127.0.0.1:1/authorize"
  }
  const cases = [
    ["2.1", {}, "S256"],
    ["2.0", { use_pkce: true }, "S256"],
    ["2.0", { use_pkce: true, code_challenge_method: "plain" }, "plain"],
    ["2.0", {}, null]
  ] as const
  it.effect.each(cases)("PKCE of version %s with %j: %s", ([version, oauth, method]) =>
    Effect.gen(function* () {
      const grants = yield* makeGrants()
      const { authorizationUrl } = yield* grants.authorize(
        requestFor({ ...endpoints, version, ...oauth }),
        redirectUri
      )
      const { searchParams } = new URL(authorizationUrl)
      assert.strictEqual(searchParams.get("code_challenge_method"), method)
      assert.strictEqual(searchParams.has("code_challenge"), method !== null)
    })
  )

  it.effect("version 2.0 allows a configured state and verifier", () =>
    Effect.gen(function* () {
      const code_verifier = "v".repeat(43)
      const { begin, grants, server } = yield* makeLogin(
        {},
        { state: "fixed", use_pkce: true, code_verifier }
      )
      yield* server.always("/token", Answer.token())
      const url = yield* begin()
      assert.strictEqual(url.searchParams.get("state"), "fixed")
      assert.strictEqual(
        url.searchParams.get("code_challenge"),
        createHash("sha256").update(code_verifier).digest("base64url")
      )
      yield* grants.redeem(responseTo(url))
      assert.deepInclude((yield* formsAt(server))[0], { code_verifier })
    })
  )
})

describe("the authorization response", () => {
  it.effect(
    "a code is exchanged with the verifier of its request, and the token records what it was asked for",
    () =>
      Effect.gen(function* () {
        const { begin, grants, request, server } = yield* makeLogin({}, { scope: "a b" })
        yield* server.always("/token", Answer.token({ refresh_token: "the-refresh-token" }))
        const url = yield* begin()
        const redeemed = yield* grants.redeem(Object.fromEntries(responseTo(url)))
        assert.strictEqual(redeemed.request, request)
        assert.strictEqual(accessToken(redeemed.token), "stub-access-token")
        assert.strictEqual(refreshToken(redeemed.token), "the-refresh-token")
        assert.deepStrictEqual(redeemed.token.scope, ["a", "b"])
        assert.deepStrictEqual(redeemed.token.grantedTo, {
          issuer: server.url,
          resource: "https://mcp.example.com/mcp",
          scope: "a b",
          tokenEndpoint: Redacted.make(server.endpoint("/token")),
          revocationEndpoint: Redacted.make(server.endpoint("/revoke")),
          clientId: "gateway",
          tokenEndpointAuthMethod: "none"
        })
        const [{ code_verifier = "", ...form } = {}] = yield* formsAt(server)
        assert.deepStrictEqual(form, {
          grant_type: "authorization_code",
          code: "the-code",
          redirect_uri: redirectUri,
          resource: "https://mcp.example.com/mcp",
          client_id: "gateway"
        })
        assert.strictEqual(
          createHash("sha256").update(code_verifier).digest("base64url"),
          url.searchParams.get("code_challenge")
        )
      })
  )

  it.effect("a denial ends the login with the server's words as plain text and without secrets", () =>
    Effect.gen(function* () {
      const { begin, grants } = yield* makeLogin()
      const url = yield* begin()
      const state = url.searchParams.get("state") ?? ""
      const error_description = `No\u001b[31m!\r\nstate ${state}`
      const response = responseTo(url, { code: undefined, error: "access_denied", error_description })
      const error = yield* Effect.flip(grants.redeem(response))
      assert.deepStrictEqual(reasonOf(error), {
        _tag: "AuthorizationDenied",
        error: "access_denied",
        description: "No[31m! state [secret]"
      })
      assert.deepInclude(error, { serverName: "remote", correlationId })
      yield* assertFailsWith(grants.redeem(response), "AuthorizationResponseInvalid")
    })
  )

  it.effect(
    "a response is told to be the answer to its request only when it is genuine, also if it is a denial",
    () =>
      Effect.gen(function* () {
        const { begin, grants, request } = yield* makeLogin()
        const identified: Array<unknown> = []
        const redeem = (response: URLSearchParams) =>
          Effect.flip(grants.redeem(response, undefined, (pending) => void identified.push(pending)))
        const url = yield* begin()
        yield* redeem(responseTo(url, { iss: "https://evil.example" }))
        assert.deepStrictEqual(identified, [])
        yield* redeem(responseTo(url, { code: undefined, error: "access_denied" }))
        assert.deepStrictEqual(identified, [request])
      })
  )

  const useless = [
    ["neither code nor error", (url: URL) => responseTo(url, { code: undefined })],
    ["no state", (url: URL) => responseTo(url, { state: undefined })],
    [
      "a parameter twice",
      (url: URL) => {
        const twice = responseTo(url)
        twice.append("code", "another")
        return twice
      }
    ]
  ] as const
  it.effect.each(useless)("a response that is not genuine changes nothing: %s", ([, make]) =>
    Effect.gen(function* () {
      const { begin, grants, server } = yield* makeLogin()
      yield* server.always("/token", Answer.token())
      const url = yield* begin()
      yield* assertFailsWith(grants.redeem(make(url)), "AuthorizationResponseInvalid")
      assert.lengthOf(yield* formsAt(server), 0)
      yield* grants.redeem(responseTo(url))
    })
  )

  it.effect("an error without the promised `iss` is shown with that remark, and ends the login", () =>
    Effect.gen(function* () {
      const { begin, grants, server } = yield* makeLogin()
      const url = yield* begin()
      const fields = { code: undefined, iss: undefined, error: "server_error", error_description: "Later" }
      const reason = yield* failureOf(grants.redeem(responseTo(url, fields)))
      assert.deepInclude(reason, { _tag: "AuthorizationDenied", error: "server_error", description: "Later" })
      assert.include(reason.message, "(server_error: Later). Remark: it lacks the `iss`")
      yield* assertFailsWith(grants.redeem(responseTo(url)), "AuthorizationResponseInvalid")
      assert.lengthOf(yield* formsAt(server), 0)
    })
  )

  const failures = [
    ["503", Answer.status(503, { retryAfter: 1 }), "EndpointUnavailable"],
    ["a lost answer", Answer.reset, "ConnectionFailed"],
    ["half an answer", Answer.resetMidBody, "ConnectionFailed"],
    ["invalid_grant", Answer.json({ error: "invalid_grant" }, { status: 400 }), "RequestRefused"]
  ] as const
  it.effect.each(failures)("a code that may have been read is not sent again: %s", ([, answer, tag]) =>
    Effect.gen(function* () {
      const { begin, grants, server } = yield* makeLogin()
      yield* server.always("/token", answer)
      const response = responseTo(yield* begin())
      yield* assertFailsWith(grants.redeem(response), tag)
      yield* assertFailsWith(grants.redeem(response), "AuthorizationResponseInvalid")
      assert.lengthOf(yield* formsAt(server), 1)
    })
  )

  it.effect("a token that lacks a configured scope is refused", () =>
    Effect.gen(function* () {
      const { begin, grants, server } = yield* makeLogin({}, { scope: "a b" })
      yield* server.always("/token", Answer.token({ scope: "a" }))
      assert.deepInclude(yield* failureOf(grants.redeem(responseTo(yield* begin()))), {
        _tag: "InsufficientScope",
        missing: ["b"]
      })
    })
  )

  it.effect(
    "a token that lacks a scope only the MCP server named is taken, and the log names what it lacks",
    () =>
      Effect.gen(function* () {
        const { begin, grants, request, server } = yield* makeLogin({}, { scope: "a openid email" })
        yield* server.always("/token", Answer.token({ scope: "a" }))
        const url = yield* begin({ ...request, challenge: { scope: "b offline_access profile" } })
        const { lines, record } = makeLog()
        const { token } = yield* record(grants.redeem(responseTo(url)))
        assert.deepStrictEqual(token.scope, ["a"])
        assert.lengthOf(
          lines.filter((line) => line.includes('gave a token without the scope b"')),
          1
        )
      })
  )

  it.effect("no error of the code exchange shows the code or the verifier", () =>
    Effect.gen(function* () {
      const { begin, grants, server } = yield* makeLogin()
      const code = canary("code")
      yield* server.always(
        "/token",
        Answer.respondWith(({ body }) =>
          Effect.succeed(Answer.json({ error: "invalid_grant", error_description: body }, { status: 400 }))
        )
      )
      const error = yield* Effect.flip(grants.redeem(responseTo(yield* begin(), { code })))
      assertNoCanary(error, code)
      const [{ code_verifier = "" } = {}] = yield* formsAt(server)
      assert.notInclude(error.message, code_verifier)
    })
  )
})
