import { assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import { Callers, JwtBearer } from "../src/index.ts"
import { reasonOf, withToken } from "./identify.ts"
import { issuerUrl, makeIssuer, makeKey, rightClaims, sign, type TestKey } from "./TestIssuer.ts"

const keys: Record<string, TestKey> = {}
const key = (name: string): TestKey => keys[name] ?? assert.fail(`There is no key ${name}`)

beforeAll(async () => {
  keys["old"] = await makeKey("ES256", "old")
  keys["new"] = await makeKey("ES256", "new")
})

const longLived = { ...rightClaims, exp: 360_000 }

const start = () => {
  const issuer = makeIssuer([key("old")])
  const layer = JwtBearer.layer([{ issuer: issuerUrl }]).pipe(Layer.provide(issuer.network))
  return { issuer, layer }
}

const token = (name: string, more: Readonly<Record<string, unknown>> = {}) =>
  Effect.promise(() => sign(key(name), { ...longLived, ...more }))

describe("the keys of an issuer", () => {
  it.effect("the keys of an issuer are read once for many callers at once, through the metadata", () => {
    const { issuer, layer } = start()
    return Effect.gen(function* () {
      const tokens = yield* Effect.forEach(
        Array.from({ length: 20 }, (_, index) => `person-${index}`),
        (sub) => token("old", { sub })
      )
      const found = yield* Effect.forEach(tokens, (one) => withToken(one), { concurrency: "unbounded" })
      assert.deepStrictEqual(new Set(found.map(reasonOf)), new Set(["accepted"]))
      assert.deepStrictEqual(issuer.asked, ["/.well-known/oauth-authorization-server", "/keys"])
    }).pipe(Effect.provide(layer))
  })

  it.effect("the keys of an issuer are found through the metadata of OpenID Connect as well", () => {
    const { issuer, layer } = start()
    issuer.state.metadataPath = "/.well-known/openid-configuration"
    return Effect.gen(function* () {
      assert.strictEqual(reasonOf(yield* withToken(yield* token("old"))), "accepted")
    }).pipe(Effect.provide(layer))
  })

  it.effect("the keys of an issuer are not read from the metadata of another issuer", () => {
    const { issuer, layer } = start()
    issuer.state.metadata = { issuer: "https://evil.example", jwks_uri: `${issuerUrl}/keys` }
    return Effect.gen(function* () {
      assert.match(
        reasonOf(yield* withToken(yield* token("old"))),
        /^IssuerUnavailable: .*its `issuer` is not/
      )
      assert.strictEqual(issuer.countOf("/keys"), 0)
    }).pipe(Effect.provide(layer))
  })

  it.effect("the keys of an issuer are not read over http where the issuer is https", () => {
    const { issuer, layer } = start()
    issuer.state.metadata = { issuer: issuerUrl, jwks_uri: "http://login.example.com/keys" }
    return Effect.gen(function* () {
      assert.match(reasonOf(yield* withToken(yield* token("old"))), /^IssuerUnavailable: .*must be https/)
    }).pipe(Effect.provide(layer))
  })

  it.effect(
    "the keys of an issuer are read again at once for a key that is new, and a flood of unknown ones makes one look a minute",
    () => {
      const { issuer, layer } = start()
      return Effect.gen(function* () {
        yield* withToken(yield* token("old"))
        issuer.state.keys = [key("old"), key("new")]
        assert.strictEqual(reasonOf(yield* withToken(yield* token("new"))), "accepted")
        assert.strictEqual(issuer.countOf("/keys"), 2)
        const flood = yield* Effect.forEach(Array.from({ length: 50 }), (_, index) =>
          Effect.promise(() => sign(key("old"), longLived, { kid: `made-up-${index}` }))
        )
        const ask = Effect.forEach(flood, (one) => withToken(one), { concurrency: "unbounded" })
        const reasons = (yield* ask).map(reasonOf)
        assert.deepStrictEqual(
          new Set(reasons),
          new Set(["InvalidToken: The token is signed with a key that its issuer does not have"])
        )
        assert.strictEqual(issuer.countOf("/keys"), 2)
        yield* TestClock.adjust("59 seconds")
        yield* ask
        assert.strictEqual(issuer.countOf("/keys"), 2)
        yield* TestClock.adjust("1 second")
        yield* ask
        assert.strictEqual(issuer.countOf("/keys"), 3)
      }).pipe(Effect.provide(layer))
    }
  )

  it.effect(
    "the keys of an issuer are read again every ten minutes while they are used, and one that is gone signs nothing more",
    () => {
      const { issuer, layer } = start()
      return Effect.gen(function* () {
        const old = yield* token("old")
        assert.strictEqual(reasonOf(yield* withToken(old)), "accepted")
        issuer.state.keys = [key("new")]
        yield* TestClock.adjust("599 seconds")
        assert.strictEqual(reasonOf(yield* withToken(old)), "accepted")
        assert.strictEqual(issuer.countOf("/keys"), 1)
        yield* TestClock.adjust("1 second")
        // The look is in the background: this request does not wait for it.
        assert.strictEqual(reasonOf(yield* withToken(old)), "accepted")
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
        assert.strictEqual(issuer.countOf("/keys"), 2)
        assert.match(reasonOf(yield* withToken(old)), /key that its issuer does not have/)
        assert.strictEqual(reasonOf(yield* withToken(yield* token("new"))), "accepted")
      }).pipe(Effect.provide(layer))
    }
  )

  it.effect(
    "the keys of an issuer count for an hour while the issuer is away, then nobody is refused but told to come again",
    () => {
      const { issuer, layer } = start()
      return Effect.gen(function* () {
        const old = yield* token("old")
        yield* withToken(old)
        issuer.state.isAway = true
        yield* TestClock.adjust("59 minutes")
        assert.strictEqual(reasonOf(yield* withToken(old)), "accepted")
        assert.strictEqual(reasonOf(yield* withToken(yield* token("old", { sub: "bob" }))), "accepted")
        yield* TestClock.adjust("1 minute")
        // The search is repeated for a while.
        const waiting = yield* Effect.forkChild(withToken(old))
        yield* TestClock.adjust("10 seconds")
        const late = yield* Fiber.join(waiting)
        assert.match(reasonOf(late), /^IssuerUnavailable/)
        if (late._tag === "Failure") {
          assert.strictEqual(late.failure.status, 503)
          assert.isUndefined(late.failure.challenge("https://gw.example.com/metadata"))
          assert.isAtLeast(late.failure.retryAfterSeconds ?? 0, 1)
        }
        issuer.state.isAway = false
        yield* TestClock.adjust("5 seconds")
        assert.strictEqual(reasonOf(yield* withToken(old)), "accepted")
      }).pipe(Effect.provide(layer))
    }
  )

  it.effect(
    "the keys of an issuer are asked for once in five seconds while they cannot be read at all",
    () => {
      const { issuer, layer } = start()
      issuer.state.metadata = { issuer: issuerUrl }
      return Effect.gen(function* () {
        const one = yield* token("old")
        const ask = Effect.forEach(Array.from({ length: 30 }), () => withToken(one), {
          concurrency: "unbounded"
        })
        yield* ask
        yield* ask
        assert.strictEqual(issuer.countOf(issuer.state.metadataPath), 1)
        yield* TestClock.adjust("5 seconds")
        yield* ask
        assert.strictEqual(issuer.countOf(issuer.state.metadataPath), 2)
      }).pipe(Effect.provide(layer))
    }
  )

  it.effect("a caller that leaves does not end the look for those who wait", () => {
    const { issuer, layer } = start()
    return Effect.gen(function* () {
      const callers = yield* Callers
      const one = yield* token("old")
      const request = { authorization: `Bearer ${one}`, resource: String(rightClaims.aud) }
      const found = callers.identify(request)
      assert.isTrue(Effect.isEffect(found))
      if (Effect.isEffect(found)) yield* Effect.timeoutOption(found, 0).pipe(Effect.forkChild)
      assert.strictEqual(reasonOf(yield* withToken(one)), "accepted")
      assert.strictEqual(issuer.countOf("/keys"), 1)
    }).pipe(Effect.provide(layer))
  })

  it.effect("keys of an issuer that are for something else, too short or broken are left out", () => {
    const { issuer, layer } = start()
    const { jwk } = key("old")
    issuer.state.keys = [
      { ...jwk, use: "enc" },
      { ...jwk, key_ops: ["sign"] },
      { ...jwk, alg: "ES384" },
      { kty: "oct", k: "AAAA", kid: "old" },
      { kty: "EC", crv: "P-256", x: "AA", y: "AA", kid: "old" },
      { kty: "RSA", n: "AQAB", e: "AQAB", kid: "old" }
    ]
    return Effect.gen(function* () {
      assert.match(reasonOf(yield* withToken(yield* token("old"))), /key that its issuer does not have/)
    }).pipe(Effect.provide(layer))
  })
})
