import { assert, describe, it } from "@effect/vitest"
import { Answer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { failureOf, formsAt, makeLogin, responseTo } from "../TestLogin.ts"

/** Endpoints that are configured, so that nothing is known of the server's issuer or metadata. */
const configured = {
  issuer: undefined,
  token_url: "http://127.0.0.1:1/token",
  authorization_url: "http://127.0.0.1:1/authorize"
}

describe("what is wrong with an authorization response", () => {
  const noState = "its `state` belongs to no login that waits, or one that has ended"
  const wrongIssuer = "its `iss` is not the authorization server that was asked (RFC 9207)"
  const problems = [
    ["no state", { state: undefined }, noState],
    ["a state that nobody made", { state: "made-up" }, noState],
    ["neither code nor error", { code: undefined }, "it has neither `code` nor `error`"],
    ["no issuer", { iss: undefined }, "it lacks the `iss` that the authorization server promises (RFC 9207)"],
    ["another issuer", { iss: "https://evil.example.com" }, wrongIssuer],
    ["an error of another issuer", { iss: "https://evil.example.com", error: "access_denied" }, wrongIssuer]
  ] as const
  it.effect.each(problems)("a response is refused, and the reason says why: %s", ([, fields, problem]) =>
    Effect.gen(function* () {
      const { begin, grants } = yield* makeLogin()
      const reason = yield* failureOf(grants.redeem(responseTo(yield* begin(), fields)))
      assert.deepInclude(reason, { _tag: "AuthorizationResponseInvalid", problem })
    })
  )

  it.effect("a response with a parameter twice is refused, and the reason says so", () =>
    Effect.gen(function* () {
      const { begin, grants } = yield* makeLogin()
      const response = responseTo(yield* begin())
      response.append("code", "another")
      assert.deepInclude(yield* failureOf(grants.redeem(response)), { problem: "it has a parameter twice" })
    })
  )

  it.effect("a response that comes twice at once is good for one use, and the other one says so", () =>
    Effect.gen(function* () {
      const { begin, grants, server } = yield* makeLogin()
      yield* server.always("/token", Answer.token())
      const response = responseTo(yield* begin())
      const redeem = Effect.exit(failureOf(grants.redeem(response)))
      const exits = yield* Effect.all([redeem, redeem], { concurrency: 2 })
      const [problem, ...more] = exits.filter(Exit.isSuccess).map(({ value }) => value)
      assert.deepInclude(problem, { _tag: "AuthorizationResponseInvalid", problem: "it was used already" })
      assert.isEmpty(more)
      assert.lengthOf(yield* formsAt(server), 1)
    })
  )

  it.effect("an error code that is not well-formed is not shown", () =>
    Effect.gen(function* () {
      const { begin, grants } = yield* makeLogin()
      const fields = { code: undefined, error: "no\u001b[31m" }
      assert.deepInclude(yield* failureOf(grants.redeem(responseTo(yield* begin(), fields))), {
        _tag: "AuthorizationDenied",
        error: "an error code that is not well-formed"
      })
    })
  )

  it.effect("the issuer in a response is not compared where none is known", () =>
    Effect.gen(function* () {
      const { begin, grants, server } = yield* makeLogin()
      yield* server.always("/token", Answer.token())
      const login = yield* makeLogin({}, { ...configured, token_url: server.endpoint("/token") })
      const url = yield* login.begin()
      yield* login.grants.redeem(responseTo(url, { iss: "https://somebody.example.com" }))
      assert.lengthOf(yield* formsAt(server), 1)
      // The other login knows its issuer.
      yield* grants.redeem(responseTo(yield* begin()))
    })
  )

  it.effect("the code verifier is taken out of what the server says, also where it is the challenge", () =>
    Effect.gen(function* () {
      const plain = { version: "2.0", use_pkce: true, code_challenge_method: "plain" }
      const { begin, grants } = yield* makeLogin({}, { ...configured, ...plain })
      const url = yield* begin()
      assert.strictEqual(url.searchParams.get("code_challenge_method"), "plain")
      const verifier = url.searchParams.get("code_challenge") ?? ""
      const fields = { code: undefined, error: "access_denied", error_description: `Not with ${verifier}` }
      assert.deepInclude(yield* failureOf(grants.redeem(responseTo(url, fields))), {
        _tag: "AuthorizationDenied",
        description: "Not with [secret]"
      })
    })
  )

  it.effect("a plain code challenge is the verifier that the token request sends", () =>
    Effect.gen(function* () {
      const { server } = yield* makeLogin()
      yield* server.always("/token", Answer.token())
      const plain = { version: "2.0", use_pkce: true, code_challenge_method: "plain" }
      const token_url = server.endpoint("/token")
      const { begin, grants } = yield* makeLogin({}, { ...configured, ...plain, token_url })
      const url = yield* begin()
      yield* grants.redeem(responseTo(url))
      const [form] = yield* formsAt(server)
      assert.strictEqual(form?.["code_verifier"], url.searchParams.get("code_challenge"))
    })
  )
})

describe("a login that cannot begin", () => {
  it.effect("a login of another grant is a mistake in the configuration", () =>
    Effect.gen(function* () {
      const { begin } = yield* makeLogin({}, { grant_type: "device_code" })
      assert.deepInclude(yield* failureOf(begin()), {
        _tag: "Misconfigured",
        problem: "`grant_type` is not authorization_code"
      })
    })
  )

  it.effect("a server that names no authorization endpoint is named", () =>
    Effect.gen(function* () {
      const { begin, server } = yield* makeLogin({ authorization_endpoint: undefined })
      assert.deepInclude(yield* failureOf(begin()), {
        _tag: "DiscoveryFailed",
        url: server.url,
        problem: "the authorization server names no `authorization_endpoint` that can be opened"
      })
    })
  )

  it.effect("a server that does not list S256 is named, with the way out", () =>
    Effect.gen(function* () {
      const { begin, server } = yield* makeLogin({ code_challenge_methods_supported: ["plain"] })
      const reason = yield* failureOf(begin())
      assert.deepInclude(reason, { _tag: "DiscoveryFailed", url: server.url })
      assert.include(
        reason.message,
        "does not list S256 in `code_challenge_methods_supported` (RFC 9700 §2.1.1)"
      )
      assert.include(reason.message, "configure `authorization_url` and `token_url` with `use_pkce`")
    })
  )
})
