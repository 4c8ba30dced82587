import { assert, describe, it } from "@effect/vitest"
import { expiryOf } from "../../src/token/ExpiresIn.ts"

const answer = { issuedAt: 1_000_000, accessToken: "opaque", expiresIn: undefined }

describe("the expiry of a token", () => {
  it.each(["authorization_code", "device_code"] as const)(
    "without a lifetime, a token of %s is reused until the server refuses it",
    (grantType) => {
      assert.deepStrictEqual(expiryOf({ ...answer, config: { grantType } }), { reusable: true })
      assert.deepStrictEqual(expiryOf({ ...answer, config: { grantType }, expiresIn: 0 }), {
        reusable: false,
        expiresAt: 1_000_000
      })
    }
  )

  it("a person's token that is said to have no lifetime has the configured one", () => {
    const config = { grantType: "authorization_code", defaultExpiresIn: 60 } as const
    for (const expiresIn of [0, -1, "0"]) {
      assert.deepStrictEqual(expiryOf({ ...answer, config, expiresIn }), {
        reusable: true,
        expiresAt: 1_060_000
      })
    }
    assert.isFalse(
      expiryOf({ ...answer, config: { ...config, grantType: "client_credentials" }, expiresIn: 0 }).reusable
    )
  })

  it.each(["client_credentials", "jwt_bearer", "token_exchange"] as const)(
    "without a lifetime, the client's own token of %s is used once",
    (grantType) => {
      assert.deepStrictEqual(expiryOf({ ...answer, config: { grantType } }), { reusable: false })
    }
  )
})
