import { assert, describe, it } from "@effect/vitest"
import { describeRefusal } from "../../src/endpoint/ErrorResponse.ts"
import { makeSecretMask } from "../../src/mask/SecretMask.ts"
import * as Redacted from "effect/Redacted"

describe("the error code of a refusal", () => {
  it.each([
    "access_denied",
    "authorization_declined",
    "authorization_pending",
    "expired_token",
    "insufficient_scope",
    "invalid_client",
    "invalid_client_metadata",
    "invalid_grant",
    "invalid_redirect_uri",
    "invalid_request",
    "invalid_scope",
    "invalid_target",
    "invalid_token",
    "server_error",
    "slow_down",
    "temporarily_unavailable",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_response_type",
    "unsupported_token_type"
  ])("the registered code %s is understood although a secret is the same word", (error) => {
    const mask = makeSecretMask([Redacted.make(error)])
    assert.strictEqual(describeRefusal("the token endpoint", mask).fromFields(400, { error }).error, error)
  })

  it("a code that is registered nowhere is not shown if a secret is the same word", () => {
    const refuse = (secret: string) =>
      describeRefusal("the token endpoint", makeSecretMask([Redacted.make(secret)])).fromFields(400, {
        error: "some_other_code"
      })
    assert.isUndefined(refuse("some_other_code").error)
    assert.strictEqual(refuse("another-secret").error, "some_other_code")
  })
})
