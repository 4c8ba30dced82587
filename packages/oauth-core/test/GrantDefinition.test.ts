import { assert, describe, it } from "@effect/vitest"
import { decodeOAuthConfig, type GrantDefinition, isPersonalGrant } from "@secure-mcp/oauth-core"
import { tokenFingerprint } from "@secure-mcp/oauth-core/internal"
import * as Digest from "effect/crypto/Digest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

const appGrant: GrantDefinition = {
  grantType: "app",
  keys: {
    app_id: Schema.NonEmptyString,
    app_key: Schema.RedactedFromValue(Schema.String.check(Schema.isPattern(/^key-/))),
    scope: Schema.optionalKey(Schema.Array(Schema.String))
  },
  rules: ({ audience }) =>
    audience === undefined ? [{ path: ["audience"], message: "required for app: the tenant" }] : []
}

const options = { grants: [appGrant] }

const valid = { grant_type: "app", app_id: "42", app_key: "key-1", audience: "tenant" }

const problemsOf = (input: unknown) => {
  const decoded = decodeOAuthConfig(input, options)
  return Result.isFailure(decoded)
    ? decoded.failure.problems.map(({ message, path }) => `${path.join(".")}: ${message}`)
    : []
}

const configOf = (input: unknown) => Result.getOrThrow(decodeOAuthConfig(input, options))

const fingerprintOf = (input: unknown) =>
  tokenFingerprint(configOf(input), undefined).pipe(Effect.provide(Digest.layerWebCrypto))

describe("a grant that others define", () => {
  it("the name of an own grant is accepted as grant_type, and its keys stay redacted", () => {
    const config = configOf(valid)
    assert.equal(config.grantType, "app")
    assert.isFalse(isPersonalGrant(config.grantType))
    assert.deepStrictEqual(config.grantKeys && Redacted.value(config.grantKeys), {
      app_id: "42",
      app_key: "key-1"
    })
    assert.notInclude(JSON.stringify({ ...config, text: String(config.grantKeys) }, null, 1), "key-1")
  })

  it("every problem of the own keys is reported together with those of the others, by path and without the value", () => {
    assert.deepStrictEqual(
      problemsOf({
        grant_type: "app",
        app_key: "secret-2",
        app_idd: "42",
        token_url: "ftp://x",
        use_pkce: 1
      }),
      [
        "app_idd: unknown key: did you mean `app_id`?",
        "use_pkce: Expected boolean",
        "token_url: must be an absolute http(s) URL",
        "audience: required for app: the tenant",
        "app_id: required",
        "app_key: Expected a string matching the RegExp ^key-"
      ]
    )
  })

  it("a key that an own grant shares with the built-in ones is decoded by the own schema only", () => {
    assert.deepStrictEqual(problemsOf({ ...valid, scope: ["a b", "c"] }), [])
    assert.deepStrictEqual(problemsOf({ ...valid, scope: "a" }), ["scope: Expected array"])
  })

  it("a key of an own grant that is not selected says which grant it belongs to", () => {
    assert.deepStrictEqual(problemsOf({ client_id: "c", client_secret: "s", app_id: "42" }), [
      'app_id: has no effect unless `grant_type` is "app"'
    ])
  })

  it("an unknown grant_type names the own grants among those that are known", () => {
    assert.deepStrictEqual(problemsOf({ grant_type: "ap", client_id: "c", client_secret: "s" }), [
      "grant_type: Unsupported grant type: it must be client_credentials, authorization_code, jwt_bearer, token_exchange, device_code, app"
    ])
  })

  it("without its definition the name of an own grant is refused", () => {
    assert.isTrue(Result.isFailure(decodeOAuthConfig(valid)))
  })

  it.effect("two configurations share a token only if the own keys are the same", () =>
    Effect.gen(function* () {
      const fingerprint = yield* fingerprintOf(valid)
      const { audience, ...rest } = valid
      assert.strictEqual(yield* fingerprintOf({ audience, ...rest }), fingerprint)
      assert.notStrictEqual(yield* fingerprintOf({ ...valid, app_id: "43" }), fingerprint)
      assert.notStrictEqual(yield* fingerprintOf({ ...valid, app_key: "key-2" }), fingerprint)
    })
  )
})
