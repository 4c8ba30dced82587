import { assert, describe, it } from "@effect/vitest"
import { decodeOAuthConfig } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { TestClock } from "effect/testing"
import { makeOpenIdLogin, OpenIdLoginFailed } from "../src/index.ts"
import { issuerUrl, makeIssuer, makeKey, sign, type TestKey } from "./TestIssuer.ts"

const secret = "s".repeat(43)
const login = { redirectUri: "https://gw.example.com/me/login/callback", secret: Redacted.make(secret) }

/** A provider whose ID tokens are made by `answer`, and a login at it that has begun. */
const start = Effect.fnUntraced(function* (
  answer: (rightClaims: Readonly<Record<string, unknown>>, key: TestKey) => Promise<object>,
  keys: Readonly<Record<string, object>> = {}
) {
  const key = yield* Effect.promise(() => makeKey("ES256", "first"))
  const issuer = makeIssuer([key])
  const forms: Array<URLSearchParams> = []
  issuer.state.metadata = {
    issuer: issuerUrl,
    jwks_uri: `${issuerUrl}/keys`,
    authorization_endpoint: `${issuerUrl}/authorize`,
    token_endpoint: `${issuerUrl}/token`,
    id_token_signing_alg_values_supported: ["ES256"],
    ...keys
  }
  const config = Result.getOrThrow(
    decodeOAuthConfig({
      grant_type: "authorization_code",
      issuer: issuerUrl,
      client_id: "gateway",
      scope: "openid operator",
      offline_access: false
    })
  )
  const made = yield* makeOpenIdLogin({ config: { ...config, issuer: issuerUrl } }).pipe(
    Effect.provide(issuer.network)
  )
  const url = new URL(yield* made.begin(login))
  const right = {
    iss: issuerUrl,
    sub: "ada",
    aud: "gateway",
    nonce: url.searchParams.get("nonce"),
    iat: 0,
    exp: 3600
  }
  issuer.state.token = async (form) => {
    forms.push(form)
    return Response.json({ access_token: "opaque", token_type: "Bearer", ...(await answer(right, key)) })
  }
  const response = (parameters: Readonly<Record<string, string>> = { code: "the-code" }) => ({
    state: url.searchParams.get("state") ?? "",
    ...parameters
  })
  return { ...made, forms, issuer, response, url }
})

const signed = (claims: Readonly<Record<string, unknown>> = {}) =>
  (async (right, key) => ({
    id_token: await sign(key, { ...right, ...claims }, { typ: "JWT" })
  })) satisfies Parameters<typeof start>[0]

const failureOf = <A>(effect: Effect.Effect<A, OpenIdLoginFailed>) =>
  Effect.map(Effect.flip(effect), ({ problem, reason }) => `${reason}: ${problem}`)

describe("a browser that logs in at an OpenID provider", () => {
  it.effect("a login sends PKCE, state and nonce, and says who it was", () =>
    Effect.gen(function* () {
      const { complete, forms, response, url } = yield* start(async (right, key) => ({
        ...(await signed({ groups: ["engineering"] })(right, key)),
        scope: "openid operator"
      }))
      const sent = Object.fromEntries(url.searchParams)
      assert.deepInclude(sent, {
        response_type: "code",
        client_id: "gateway",
        redirect_uri: login.redirectUri,
        scope: "openid operator",
        code_challenge_method: "S256"
      })
      assert.notInclude(url.href, secret)
      const caller = yield* complete(login, response())
      assert.deepStrictEqual(caller, {
        issuer: issuerUrl,
        subject: "ada",
        groups: ["engineering"],
        scopes: ["openid", "operator"]
      })
      const [form] = forms
      assert.strictEqual(form?.get("code"), "the-code")
      assert.lengthOf(form?.get("code_verifier") ?? "", 43)
    })
  )

  it.effect("a scope that the provider does not say it has granted does not count", () =>
    Effect.gen(function* () {
      const { complete, response } = yield* start(signed())
      assert.deepStrictEqual((yield* complete(login, response())).scopes, [])
    })
  )

  it.effect("more scopes are asked for where they are wished", () =>
    Effect.gen(function* () {
      const { begin } = yield* start(signed())
      const url = new URL(yield* begin(login, { scopes: ["audit"] }))
      assert.strictEqual(url.searchParams.get("scope"), "openid operator audit")
    })
  )

  it.effect("another browser cannot complete a login, even with its address", () =>
    Effect.gen(function* () {
      const { complete, forms, response } = yield* start(signed())
      const other = { ...login, secret: Redacted.make("o".repeat(43)) }
      assert.match(yield* failureOf(complete(other, response())), /^Invalid: .*`state`/)
      assert.lengthOf(forms, 0)
    })
  )

  it.effect("an answer of another authorization server is refused before its code is sent anywhere", () =>
    Effect.gen(function* () {
      const { complete, forms, response } = yield* start(signed())
      const mixedUp = response({ code: "the-code", iss: "https://attacker.example.com" })
      assert.match(yield* failureOf(complete(login, mixedUp)), /^Invalid: .*RFC 9207/)
      assert.lengthOf(forms, 0)
    })
  )

  it.effect("prompt=none of somebody who is not logged in asks for the person", () =>
    Effect.gen(function* () {
      const { begin, complete, response } = yield* start(signed())
      assert.strictEqual(new URL(yield* begin(login, { prompt: "none" })).searchParams.get("prompt"), "none")
      for (const error of ["login_required", "interaction_required", "consent_required"])
        assert.match(yield* failureOf(complete(login, response({ error }))), /^PersonRequired: /)
      assert.match(yield* failureOf(complete(login, response({ error: "access_denied" }))), /^Denied: /)
    })
  )

  it.effect("an ID token that is wrong is refused for its own reason", () =>
    Effect.gen(function* () {
      const cases: ReadonlyArray<readonly [Readonly<Record<string, unknown>>, RegExp]> = [
        [{ iss: "https://attacker.example.com" }, /`iss`/],
        [{ aud: "another-client" }, /`aud`/],
        [{ aud: ["gateway", "another-client"] }, /`azp`/],
        [{ azp: "another-client" }, /`azp`/],
        [{ nonce: "another" }, /`nonce`/],
        [{ nonce: undefined }, /`nonce`/],
        [{ exp: undefined }, /`exp`/],
        [{ exp: "3600" }, /`exp`/],
        [{ iat: 4000 }, /not valid yet/],
        [{ nbf: 4000 }, /not valid yet/],
        [{ sub: "" }, /`sub`/],
        [{ sub: 7 }, /`sub`/]
      ]
      for (const [claims, reason] of cases) {
        const { complete, response } = yield* start(signed(claims))
        assert.match(yield* failureOf(complete(login, response())), reason, JSON.stringify(claims))
      }
    })
  )

  it.effect("an ID token that another key has signed, or none, is refused", () =>
    Effect.gen(function* () {
      const other = yield* Effect.promise(() => makeKey("ES256", "first"))
      const stolen = yield* start(async (right) => ({ id_token: await sign(other, right) }))
      assert.match(yield* failureOf(stolen.complete(login, stolen.response())), /signature/)
      const unsigned = yield* start(async (right) => ({
        id_token: `${base64({ alg: "none" })}.${base64(right)}.`
      }))
      assert.match(yield* failureOf(unsigned.complete(login, unsigned.response())), /`alg`/)
      const absent = yield* start(async () => ({}))
      assert.match(yield* failureOf(absent.complete(login, absent.response())), /no ID token.*`openid`/)
      const opaque = yield* start(async () => ({ id_token: "opaque" }))
      assert.match(yield* failureOf(opaque.complete(login, opaque.response())), /three parts/)
    })
  )

  it.effect("an ID token that has expired is refused, with a minute for clocks that differ", () =>
    Effect.gen(function* () {
      const { complete, response } = yield* start(signed())
      yield* TestClock.adjust("3659 seconds")
      assert.strictEqual((yield* complete(login, response())).subject, "ada")
      yield* TestClock.adjust("1 second")
      assert.match(yield* failureOf(complete(login, response())), /expired/)
    })
  )

  it.effect("a login is offered where people can log in with a client that we have or may register", () =>
    Effect.gen(function* () {
      const offered = yield* start(signed())
      assert.isTrue(yield* offered.isOffered)
      const plain = yield* start(signed(), { id_token_signing_alg_values_supported: undefined } as never)
      assert.isFalse(yield* plain.isOffered)
      const away = yield* start(signed())
      away.issuer.state.isAway = true
      assert.match(yield* failureOf(away.complete(login, away.response())), /^Unavailable: /)
    })
  )
})

const base64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url")
