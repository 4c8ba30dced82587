import { assert, describe, it } from "@effect/vitest"
import { Answer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { makeGrants, requestFor } from "./TestGrants.ts"
import {
  accessToken,
  assertFailsWith,
  formsAt,
  makeLogin,
  makeServerWithMetadata,
  redirectUri,
  refreshToken,
  responseTo
} from "./TestLogin.ts"

/** An honest server and the attacker's, with a login under way at each, by the same gateway. */
const makeTwoServers = Effect.fnUntraced(function* (metadata: Readonly<Record<string, unknown>> = {}) {
  const honest = yield* makeServerWithMetadata(metadata)
  const attacker = yield* makeServerWithMetadata(metadata)
  const grants = yield* makeGrants({ authTimeout: "1 hour" })
  const begin = Effect.fnUntraced(function* (server: typeof honest) {
    const request = requestFor({
      grant_type: "authorization_code",
      issuer: server.url,
      client_secret: undefined
    })
    return new URL(
      (yield* grants.authorize({ ...request, serverName: server.url }, redirectUri)).authorizationUrl
    )
  })
  for (const server of [honest, attacker]) yield* server.always("/token", Answer.token())
  return {
    honest,
    attacker,
    grants,
    atHonest: yield* begin(honest),
    atAttacker: yield* begin(attacker)
  }
})

describe("attacks of RFC 9700 that concern a client", () => {
  // §4.1 is for the server to check; a client helps by sending the same redirect URI twice.
  it.effect("§4.1 insufficient redirect URI validation: the exchange names the very same redirect URI", () =>
    Effect.gen(function* () {
      const { begin, grants, server } = yield* makeLogin()
      yield* server.always("/token", Answer.token())
      const url = yield* begin()
      yield* grants.redeem(responseTo(url))
      assert.strictEqual((yield* formsAt(server))[0]?.["redirect_uri"], url.searchParams.get("redirect_uri"))
    })
  )

  it.effect("§4.2 credential leakage via Referer headers: a URL never holds verifier, secret or token", () =>
    Effect.gen(function* () {
      const { begin, grants, server } = yield* makeLogin({}, { client_secret: "the-client-secret" })
      yield* server.always("/token", Answer.token())
      const url = yield* begin()
      yield* grants.redeem(responseTo(url))
      const [form] = yield* formsAt(server)
      assert.isString(form?.["code_verifier"])
      for (const secret of ["the-client-secret", form?.["code_verifier"] ?? ""]) {
        assert.notInclude(url.href, secret)
      }
      for (const { rawUrl } of yield* server.requests) assert.notMatch(rawUrl, /code|token=|secret/)
    })
  )

  it.effect("§4.3 credential leakage via browser history: a response is good for one use", () =>
    Effect.gen(function* () {
      const { begin, grants, server } = yield* makeLogin()
      yield* server.always("/token", Answer.token())
      const response = responseTo(yield* begin())
      yield* grants.redeem(response)
      yield* assertFailsWith(grants.redeem(response), "AuthorizationResponseInvalid")
      assert.lengthOf(yield* formsAt(server), 1)
    })
  )

  it.effect("§4.4 mix-up: a code of the honest server never goes to the attacker's token endpoint", () =>
    Effect.gen(function* () {
      const { atAttacker, atHonest, attacker, grants, honest } = yield* makeTwoServers()
      // The attacker sent the person on to the honest server, whose answer has the attacker's state.
      const mixedUp = responseTo(atAttacker, { iss: honest.url, code: "honest-code" })
      yield* assertFailsWith(grants.redeem(mixedUp), "AuthorizationResponseInvalid")
      assert.lengthOf(yield* formsAt(attacker), 0)
      yield* grants.redeem(responseTo(atHonest))
      assert.lengthOf(yield* formsAt(honest), 1)
    })
  )

  it.effect("§4.4 mix-up by leaving out `iss`: what the server promises must be there", () =>
    Effect.gen(function* () {
      const { begin, grants, server } = yield* makeLogin()
      yield* server.always("/token", Answer.token())
      const url = yield* begin()
      yield* assertFailsWith(
        grants.redeem(responseTo(url, { iss: undefined })),
        "AuthorizationResponseInvalid"
      )
      yield* grants.redeem(responseTo(url))
    })
  )

  it.effect.each([
    ["another", (issuer: string) => `${issuer}.example.com`],
    ["with a slash", (issuer: string) => `${issuer}/`],
    ["in capitals", (issuer: string) => issuer.toUpperCase()],
    ["empty", () => ""]
  ] as const)("§4.4 mix-up by a wrong `iss`: %s, promised or not", ([, wrong]) =>
    Effect.gen(function* () {
      for (const promised of [true, false]) {
        const { begin, grants, server } = yield* makeLogin({
          authorization_response_iss_parameter_supported: promised
        })
        yield* server.always("/token", Answer.token())
        const url = yield* begin()
        yield* assertFailsWith(
          grants.redeem(responseTo(url, { iss: wrong(server.url) })),
          "AuthorizationResponseInvalid"
        )
        assert.lengthOf(yield* formsAt(server), 0)
      }
    })
  )

  it.effect("§4.4 mix-up: an error from the wrong issuer does not end the login", () =>
    Effect.gen(function* () {
      const { begin, grants, server } = yield* makeLogin()
      yield* server.always("/token", Answer.token())
      const url = yield* begin()
      const stray = responseTo(url, {
        code: undefined,
        error: "access_denied",
        iss: "https://evil.example.com"
      })
      yield* assertFailsWith(grants.redeem(stray), "AuthorizationResponseInvalid")
      yield* grants.redeem(responseTo(url))
    })
  )

  it.effect(
    "§4.5 authorization code injection: a code goes out with the verifier of its own request only",
    () =>
      Effect.gen(function* () {
        const { begin, grants, request, server } = yield* makeLogin()
        yield* server.always("/token", Answer.token())
        const victim = yield* begin({ ...request, subject: "victim" })
        const attacker = yield* begin({ ...request, subject: "attacker" })
        // The attacker puts the victim's code into the response to a login of their own.
        const { request: owner } = yield* grants.redeem(responseTo(attacker, { code: "code-of-the-victim" }))
        assert.strictEqual(owner.subject, "attacker")
        const { request: other } = yield* grants.redeem(responseTo(victim))
        assert.strictEqual(other.subject, "victim")
        const [injected, own] = yield* formsAt(server)
        assert.notStrictEqual(injected?.["code_verifier"], own?.["code_verifier"])
      })
  )

  it.effect("§4.6 access token injection: a token in the response itself is not looked at", () =>
    Effect.gen(function* () {
      const { begin, grants } = yield* makeLogin()
      const response = responseTo(yield* begin(), { code: undefined })
      response.set("access_token", "injected")
      yield* assertFailsWith(grants.redeem(response), "AuthorizationResponseInvalid")
    })
  )

  it.effect.each([
    ["a made-up one", "made-up"],
    ["none", undefined],
    ["an empty one", ""]
  ] as const)(
    "§4.7 cross-site request forgery: a response with %s for `state` changes nothing",
    ([, state]) =>
      Effect.gen(function* () {
        const { begin, grants, server } = yield* makeLogin()
        yield* server.always("/token", Answer.token())
        const url = yield* begin()
        yield* assertFailsWith(grants.redeem(responseTo(url, { state })), "AuthorizationResponseInvalid")
        assert.lengthOf(yield* formsAt(server), 0)
        yield* grants.redeem(responseTo(url))
      })
  )

  it.effect.each([
    ["names no method", undefined],
    ["has only plain", ["plain"]],
    ["has none", []]
  ] as const)("§4.8 PKCE downgrade: no person is sent to a server that %s", ([, methods]) =>
    Effect.gen(function* () {
      const { begin, request } = yield* makeLogin({ code_challenge_methods_supported: methods })
      const plain = { ...request.config, usePkce: true, codeChallengeMethod: "plain" as const }
      yield* assertFailsWith(begin(), "DiscoveryFailed")
      yield* assertFailsWith(begin({ ...request, config: plain }), "DiscoveryFailed")
    })
  )

  it.effect("§4.8 PKCE downgrade: `plain` is not used where S256 is supported", () =>
    Effect.gen(function* () {
      const { begin } = yield* makeLogin({}, { use_pkce: true, code_challenge_method: "plain" })
      assert.strictEqual((yield* begin()).searchParams.get("code_challenge_method"), "S256")
    })
  )

  it.effect(
    "§4.9 counterfeit resource server: its metadata must be its own, or no person is asked to log in",
    () =>
      Effect.gen(function* () {
        const { begin, request, server } = yield* makeLogin({}, { issuer: undefined, resource: undefined })
        yield* server.always(
          "/.well-known/oauth-protected-resource/mcp",
          Answer.json({ resource: "https://mcp.example.com/mcp", authorization_servers: [server.url] })
        )
        yield* assertFailsWith(begin({ ...request, resourceUrl: server.endpoint("/mcp") }), "DiscoveryFailed")
        assert.lengthOf(yield* server.requestsTo("/.well-known/oauth-authorization-server"), 0)
      })
  )

  it.effect("§4.10 stolen tokens: every request asks for a token for this resource", () =>
    Effect.gen(function* () {
      const { begin, grants, request, server } = yield* makeLogin()
      yield* server.always("/token", Answer.token({ refresh_token: "r" }))
      const url = yield* begin()
      const { token } = yield* grants.redeem(responseTo(url))
      yield* grants.acquire(request, token)
      const resource = "https://mcp.example.com/mcp"
      assert.strictEqual(url.searchParams.get("resource"), resource)
      assert.deepStrictEqual(
        (yield* formsAt(server)).map((form) => form["resource"]),
        [resource, resource]
      )
    })
  )

  it.effect("§4.12 307 redirect: the code and the secret do not follow one", () =>
    Effect.gen(function* () {
      const { begin, grants, server } = yield* makeLogin()
      yield* server.always("/token", Answer.redirect(server.endpoint("/elsewhere"), 307))
      yield* assertFailsWith(grants.redeem(responseTo(yield* begin())), "RedirectRefused")
      assert.lengthOf(yield* server.requestsTo("/elsewhere"), 0)
    })
  )

  it.effect("§4.14 refresh token replay: a lost answer is not answered by sending it again", () =>
    Effect.gen(function* () {
      const { begin, grants, request, server } = yield* makeLogin()
      yield* server.enqueue("/token", Answer.token({ refresh_token: "first" }), Answer.reset)
      yield* server.always("/token", Answer.json({ error: "invalid_grant" }, { status: 400 }))
      const { token } = yield* grants.redeem(responseTo(yield* begin()))
      yield* assertFailsWith(grants.acquire(request, token), "ConnectionFailed")
      assert.lengthOf(yield* formsAt(server), 2)
      // Only when a token is wanted again does it show that the server has rotated it.
      yield* assertFailsWith(grants.acquire(request, token), "AuthorizationRequired")
    })
  )

  it.effect("§4.14 refresh token rotation: the replaced refresh token is not used again", () =>
    Effect.gen(function* () {
      const { begin, grants, request, server } = yield* makeLogin()
      yield* server.enqueue(
        "/token",
        Answer.token({ refresh_token: "first" }),
        Answer.token({ refresh_token: "second" }),
        Answer.token({ access_token: "third" })
      )
      const { token } = yield* grants.redeem(responseTo(yield* begin()))
      const renewed = yield* grants.acquire(request, token)
      const again = yield* grants.acquire(request, renewed)
      assert.deepStrictEqual(
        (yield* formsAt(server)).map((form) => form["refresh_token"]),
        [undefined, "first", "second"]
      )
      assert.deepStrictEqual([refreshToken(again), accessToken(again)], ["second", "third"])
    })
  )

  it.effect("§4.7 cross-site request forgery: `state` and code challenge are fresh for each login", () =>
    Effect.gen(function* () {
      const { atAttacker, atHonest } = yield* makeTwoServers()
      for (const name of ["state", "code_challenge"]) {
        assert.notStrictEqual(atHonest.searchParams.get(name), atAttacker.searchParams.get(name))
      }
    })
  )
})
