import { assert, describe, it } from "@effect/vitest"
import { assertNoCanary, Answer, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { decodeProtectedHeader, jwtVerify } from "jose"
import { generateKeyPairSync, type KeyObject } from "node:crypto"
import { makeGrants, now, reasonOf, requestFor } from "../TestGrants.ts"

const keyPairs = {
  ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  RS256: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  EdDSA: generateKeyPairSync("ed25519")
} as const

const pem = (key: KeyObject) => key.export({ format: "pem", type: "pkcs8" }).toString()
const jwk = (key: KeyObject, more: object = {}) =>
  JSON.stringify({ ...key.export({ format: "jwk" }), ...more })

const acquireWith = Effect.fnUntraced(function* (oauth: Readonly<Record<string, unknown>>, times = 1) {
  const server = yield* StubAuthorizationServer.make()
  yield* server.always("/token", Answer.token())
  const grants = yield* makeGrants()
  yield* TestClock.setTime(now)
  const tokenUrl = server.endpoint("/token")
  const request = requestFor({ token_url: tokenUrl, client_secret: undefined, ...oauth })
  for (let time = 0; time < times; time++) yield* grants.acquire(request, undefined)
  const forms = (yield* server.requests).map(({ form, headers }) => ({ form, headers }))
  return { forms, tokenUrl }
})

const verify = (assertion: string | null | undefined, key: KeyObject) =>
  Effect.promise(() => jwtVerify(assertion ?? "", key, { currentDate: new Date(now) }))

describe("private_key_jwt (RFC 7523)", () => {
  const algorithms = ["ES256", "RS256", "EdDSA"] as const

  it.effect.each(algorithms)(
    "%s: a short-lived assertion about us for the issuer, in the body alone",
    (alg) =>
      Effect.gen(function* () {
        const { privateKey, publicKey } = keyPairs[alg]
        const { forms } = yield* acquireWith({
          private_key: pem(privateKey),
          private_key_id: "key-1",
          issuer: "https://as.example/tenant/",
          enforce_https: false
        })
        const [{ form, headers } = { form: new URLSearchParams(), headers: {} }] = forms
        assert.isUndefined(headers.authorization)
        assert.deepStrictEqual(form.getAll("client_id"), ["gateway"])
        assert.isFalse(form.has("client_secret"))
        assert.strictEqual(
          form.get("client_assertion_type"),
          "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        )
        const { payload, protectedHeader } = yield* verify(form.get("client_assertion"), publicKey)
        const { jti, ...claims } = payload
        assert.deepStrictEqual(protectedHeader, { alg, typ: "JWT", kid: "key-1" })
        assert.deepStrictEqual(claims, {
          iss: "gateway",
          sub: "gateway",
          aud: "https://as.example/tenant/",
          iat: now / 1000,
          exp: now / 1000 + 60
        })
        assert.match(String(jti), /^[0-9a-f-]{36}$/)
      })
  )

  it.effect(
    "an assertion is for the token endpoint where no issuer is known, and each one is different",
    () =>
      Effect.gen(function* () {
        const { privateKey, publicKey } = keyPairs.ES256
        const { forms, tokenUrl } = yield* acquireWith(
          { private_key: jwk(privateKey, { kid: "from-jwk" }) },
          2
        )
        const assertions = forms.map(({ form }) => form.get("client_assertion"))
        const [first, second] = yield* Effect.forEach(assertions, (assertion) => verify(assertion, publicKey))
        assert.strictEqual(first?.payload.aud, tokenUrl)
        assert.strictEqual(first?.protectedHeader.kid, "from-jwk")
        assert.notStrictEqual(first?.payload.jti, second?.payload.jti)
      })
  )

  it.effect("private_key_id wins over the kid of the JWK", () =>
    Effect.gen(function* () {
      const private_key = jwk(keyPairs.EdDSA.privateKey, { kid: "from-jwk" })
      const { forms } = yield* acquireWith({ private_key, private_key_id: "configured" })
      const assertion = forms[0]?.form.get("client_assertion") ?? ""
      assert.strictEqual(decodeProtectedHeader(assertion).kid, "configured")
    })
  )

  const unusable = [
    [{ private_key: "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----" }, "is not a private key"],
    [{ private_key: '{"kty":"EC","crv":"P-256","d":"secret-d"}' }, "is not a private key"],
    [{ private_key: '{"kty":"EC","d":"secret-d"' }, "is not a private key"],
    [{ private_key: pem(generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey) }, "2048 bits"],
    [{ private_key: pem(generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey) }, "P-256"],
    [
      { private_key: pem(keyPairs.EdDSA.privateKey), private_key_alg: "ES256" },
      "a key for EdDSA, not for ES256"
    ]
  ] as const

  it.effect.each(unusable)("a key that cannot be used stops the request: %#", ([oauth, problem]) =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      const grants = yield* makeGrants()
      const request = requestFor({ token_url: server.endpoint("/token"), client_secret: undefined, ...oauth })
      const error = yield* Effect.flip(grants.acquire(request, undefined))
      assert.deepInclude(reasonOf(error), { _tag: "Misconfigured" })
      assert.include(error.message, problem)
      assertNoCanary(error, [oauth.private_key])
      assert.notInclude(error.message, "secret-d")
      assert.isEmpty(yield* server.requests)
    })
  )
})
