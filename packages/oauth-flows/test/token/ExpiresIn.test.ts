import { assert, describe, it } from "@effect/vitest"
import { expiryOf } from "../../src/token/ExpiresIn.ts"

const answer = { issuedAt: 1_000_000, accessToken: "opaque", expiresIn: undefined }

describe("the life of a token", () => {
  it("the token of a person's grant is kept until the server refuses it, when nobody says how long it lives", () => {
    const config = { grantType: "authorization_code" } as const
    assert.deepStrictEqual(expiryOf({ ...answer, config }), { reusable: true })
    assert.deepStrictEqual(expiryOf({ ...answer, config, expiresIn: 0 }), {
      reusable: false,
      expiresAt: 1_000_000
    })
  })

  it("the client's own token is used once then", () => {
    assert.deepStrictEqual(expiryOf({ ...answer, config: { grantType: "client_credentials" } }), {
      reusable: false
    })
  })
})
