import { assert, describe, it } from "@effect/vitest"
import { OAuthToken } from "@secure-mcp/oauth-core"
import { assertNoCanary, canary } from "@secure-mcp/testing"
import * as Duration from "effect/Duration"
import * as Equal from "effect/Equal"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

const secret = canary("token")

const wire = {
  accessToken: secret,
  tokenType: "Bearer",
  scope: ["mcp:read"],
  refreshToken: `${secret}-refresh`,
  issuedAt: 1_000,
  expiresAt: 61_000,
  reusable: true
} as const
const token = Schema.decodeSync(OAuthToken)(wire)

describe("OAuthToken", () => {
  it("a token is valid from its arrival to its end", () => {
    assert.strictEqual(Duration.toSeconds(token.lifetime), 60)
    const { expiresAt: _, ...endless } = wire
    assert.isFalse(Duration.isFinite(Schema.decodeSync(OAuthToken)(endless).lifetime))
    assert.isTrue(Duration.isZero(Schema.decodeSync(OAuthToken)({ ...wire, expiresAt: 500 }).lifetime))
  })

  it("a token recognises its own access token", () => {
    assert.isTrue(token.isAccessToken(Redacted.make(secret)))
    assert.isFalse(token.isAccessToken(Redacted.make(`${secret} `)))
  })

  it("a token survives encoding and decoding", () => {
    const encoded = Schema.encodeSync(OAuthToken)(token)
    assert.deepStrictEqual(encoded, wire)
    assert.isTrue(Equal.equals(Schema.decodeSync(OAuthToken)(encoded), token))
  })

  it("a token shows no secret", () => {
    assertNoCanary(token, secret)
    assert.include(JSON.stringify(token), "<redacted")
  })

  it("a token of another type than bearer is refused", () => {
    assert.isTrue(Schema.is(OAuthToken)(token))
    assert.throws(() => Schema.decodeUnknownSync(OAuthToken)({ ...wire, tokenType: "DPoP" }))
  })
})
