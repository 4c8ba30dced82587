import { assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { TestClock } from "effect/testing"
import { ApiKeys, Callers, CertificateCallers, JwtBearer, type JwtIssuer } from "../src/index.ts"
import { identify, reasonOf, withToken } from "./identify.ts"
import { issuerUrl, makeIssuer, makeKey, resource, rightClaims, sign, type TestKey } from "./TestIssuer.ts"

const keys: Array<TestKey> = []
const key = (): TestKey => keys[0] ?? assert.fail("There is no key")

beforeAll(async () => {
  keys.push(await makeKey("ES256", "own"))
})

const layerFor = (settings: Partial<JwtIssuer> = {}) =>
  JwtBearer.layer([{ issuer: issuerUrl, ...settings }]).pipe(Layer.provide(makeIssuer(keys).network))

const token = (more: Readonly<Record<string, unknown>> = {}) =>
  Effect.promise(() => sign(key(), { ...rightClaims, ...more }))

const callerOf = (found: Effect.Success<ReturnType<typeof identify>>) =>
  Result.isSuccess(found) ? found.success : assert.fail(reasonOf(found))

describe("a caller with a JWT", () => {
  it.effect("a caller is who the token says, with its scopes, groups and end", () =>
    Effect.gen(function* () {
      const one = yield* token({ groups: ["staff"] })
      const { token: carried, ...caller } = callerOf(yield* withToken(one))
      assert.deepStrictEqual(caller, {
        issuer: issuerUrl,
        subject: "ada",
        scopes: ["mcp", "other"],
        groups: ["staff"],
        expiresAt: 3_600_000
      })
      assert.strictEqual(carried && Redacted.value(carried), one)
      assert.notInclude(JSON.stringify(callerOf(yield* withToken(one))), one)
    }).pipe(Effect.provide(layerFor()))
  )

  it.effect("a caller is the same object each time, and known at once the second time", () =>
    Effect.gen(function* () {
      const one = yield* token()
      const first = callerOf(yield* withToken(one))
      const again = (yield* Callers).identify({ authorization: `Bearer ${one}`, resource })
      assert.isTrue(Result.isResult(again))
      if (Result.isResult(again)) assert.strictEqual(Result.getOrThrow(again), first)
    }).pipe(Effect.provide(layerFor()))
  )

  it.effect("a token that was seen for one server does not open another", () =>
    Effect.gen(function* () {
      const one = yield* token()
      assert.strictEqual(reasonOf(yield* withToken(one)), "accepted")
      const other = yield* withToken(one, { resource: "https://gw.example.com/servers/b/mcp" })
      assert.match(reasonOf(other), /for another server/)
    }).pipe(Effect.provide(layerFor()))
  )

  it.effect("a token is accepted until a minute after its end, and from a minute before its beginning", () =>
    Effect.gen(function* () {
      const one = yield* token({ nbf: 60, iat: 60 })
      assert.strictEqual(reasonOf(yield* withToken(one)), "accepted")
      yield* TestClock.adjust("3659 seconds")
      assert.strictEqual(reasonOf(yield* withToken(one)), "accepted")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(reasonOf(yield* withToken(one)), "InvalidToken: The token has expired")
    }).pipe(Effect.provide(layerFor()))
  )

  it.effect.each<readonly [claims: Readonly<Record<string, unknown>>, expected: string]>([
    [{ scope: "mcp" }, "accepted"],
    [{ scope: "other mcp" }, "accepted"],
    [{ scope: undefined, scp: "mcp" }, "accepted"],
    [{ scope: undefined, scp: ["mcp", "x"] }, "accepted"],
    [{ scope: "mcp2" }, "InsufficientScope: The token lacks a scope: it must have mcp"],
    [{ scope: undefined }, "InsufficientScope: The token lacks a scope: it must have mcp"],
    [{ scope: 7 }, "InsufficientScope: The token lacks a scope: it must have mcp"]
  ])("a token with the scopes %j is judged by those required: %s", ([claims, expected]) =>
    Effect.gen(function* () {
      const found = yield* withToken(yield* token(claims))
      assert.strictEqual(reasonOf(found), expected)
      if (Result.isFailure(found)) {
        assert.strictEqual(found.failure.status, 403)
        assert.strictEqual(
          found.failure.challenge("https://gw.example.com/m"),
          'Bearer realm="secure-mcp-gateway", resource_metadata="https://gw.example.com/m", error="insufficient_scope", error_description="The token lacks a scope: it must have mcp", scope="mcp"'
        )
      }
    }).pipe(Effect.provide(layerFor({ requiredScopes: ["mcp"] })))
  )

  it.effect(
    "a caller takes name and groups from the claims that are configured, and the audience that is",
    () =>
      Effect.gen(function* () {
        const one = yield* token({ aud: ["api://gateway", "x"], oid: "4711", roles: "admins" })
        const { groups, subject } = callerOf(yield* withToken(one))
        assert.deepStrictEqual([subject, groups], ["4711", ["admins"]])
        assert.match(
          reasonOf(yield* withToken(yield* token({ oid: "4711" }))),
          /`aud` must be api:\/\/gateway/
        )
      }).pipe(
        Effect.provide(layerFor({ audience: "api://gateway", subjectClaim: "oid", groupsClaim: "roles" }))
      )
  )

  it.effect(
    "a token that is bound to a certificate is accepted over a connection with that certificate only",
    () =>
      Effect.gen(function* () {
        const one = yield* token({ cnf: { "x5t#S256": "right" } })
        const certificate = { subject: "CN=ada", issuer: "CN=ca", expiresAt: 0, thumbprint: "right" }
        assert.strictEqual(reasonOf(yield* withToken(one, { certificate })), "accepted")
        const other = { ...certificate, thumbprint: "wrong" }
        assert.match(reasonOf(yield* withToken(one, { certificate: other })), /bound to a client certificate/)
      }).pipe(Effect.provide(layerFor()))
  )
})

describe("a request without a token", () => {
  it.effect("a request without a token is told what is wanted, and no error", () =>
    Effect.gen(function* () {
      const found = yield* identify({})
      assert.isTrue(Result.isFailure(found))
      if (Result.isFailure(found)) {
        assert.strictEqual(found.failure.status, 401)
        assert.strictEqual(
          found.failure.challenge("https://gw.example.com/m"),
          'Bearer realm="secure-mcp-gateway", resource_metadata="https://gw.example.com/m", scope="mcp"'
        )
      }
    }).pipe(Effect.provide(layerFor({ requiredScopes: ["mcp"] })))
  )

  it.effect.each(["Basic YTpi", "Bearer", "Bearer ", "Bearer a b", "Bearer a, Bearer b", "DPoP a.b.c", ""])(
    "the header %j is refused as an invalid token",
    (authorization) =>
      Effect.gen(function* () {
        const found = yield* identify({ authorization })
        assert.match(reasonOf(found), /^InvalidToken/)
      }).pipe(Effect.provide(layerFor()))
  )
})

describe("several ways to say who calls", () => {
  const apiKey = "a-key-of-a-machine"
  const both = Callers.layerOf([
    Effect.succeed(ApiKeys.method([{ key: Redacted.make(apiKey), subject: "backup" }])),
    Effect.succeed(CertificateCallers.method),
    JwtBearer.method([{ issuer: issuerUrl }])
  ])
  const layer = () => Layer.provide(both, makeIssuer(keys).network)
  const certificate = { subject: "CN=ada", issuer: "CN=ca", expiresAt: 5, thumbprint: "t" }

  it.effect("an API key, a certificate and a token are told apart", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(callerOf(yield* withToken(apiKey)), { subject: "backup" })
      assert.deepStrictEqual(callerOf(yield* identify({ certificate })), {
        issuer: "CN=ca",
        subject: "CN=ada",
        expiresAt: 5
      })
      assert.strictEqual(callerOf(yield* withToken(yield* token(), { certificate })).issuer, issuerUrl)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("a bad token never counts as something else", () =>
    Effect.gen(function* () {
      const bad = (yield* token()).slice(0, -2)
      assert.match(reasonOf(yield* withToken(bad, { certificate })), /^InvalidToken/)
      assert.match(reasonOf(yield* withToken("not-a-key", { certificate })), /^InvalidToken/)
    }).pipe(Effect.provide(layer()))
  )
})

describe("the tokens that are remembered", () => {
  it.effect("the remembered tokens are so many at most, and those forgotten are judged again", () =>
    Effect.gen(function* () {
      const [first = "", ...others] = yield* Effect.forEach(Array.from({ length: 4 }), (_, index) =>
        token({ sub: `person-${index}` })
      )
      const before = callerOf(yield* withToken(first))
      for (const one of others) yield* withToken(one)
      assert.notStrictEqual(callerOf(yield* withToken(first)), before)
    }).pipe(
      Effect.provide(
        JwtBearer.layer([{ issuer: issuerUrl }], { rememberedTokens: 3 }).pipe(
          Layer.provide(makeIssuer(keys).network)
        )
      )
    )
  )
})
