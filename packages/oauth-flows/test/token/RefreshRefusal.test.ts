import { assert, describe, it } from "@effect/vitest"
import { RequestRefused } from "@secure-mcp/oauth-core"
import { meansGrantEnded } from "../../src/token/RefreshRefusal.ts"

const refusal = (fields: Partial<ConstructorParameters<typeof RequestRefused>[0]>) =>
  new RequestRefused({ endpoint: "https://auth.example.com/token", status: 400, ...fields })

describe("a refused refresh", () => {
  it.each([
    "temporarily_unavailable",
    "server_error",
    "service_unavailable",
    "internal_error",
    "internal_server_error",
    "timeout",
    "slow_down",
    "rate_limited",
    "rate_limit_exceeded",
    "too_many_requests",
    "invalid_scope",
    "invalid_target",
    "invalid_resource",
    "invalid_client",
    "use_dpop_nonce",
    "invalid_dpop_proof"
  ])("a grant does not end with the error %s, however it is written", (error) => {
    assert.isFalse(meansGrantEnded(refusal({ error })))
    assert.isFalse(meansGrantEnded(refusal({ error: error.toUpperCase() })))
  })

  it.each(["invalid_grant", "token_expired", "access_denied", "anything_else"])(
    "a grant ends with the error %s",
    (error) => {
      assert.isTrue(meansGrantEnded(refusal({ error })))
      // The client certificate was seen to: the server has looked at the request.
      assert.isTrue(meansGrantEnded(refusal({ error, clientCertificate: "doubtful" })))
    }
  )

  it.each([
    [200, undefined, true],
    [299, undefined, true],
    [300, "The refresh token has expired", false],
    [400, undefined, true],
    [401, undefined, true],
    [403, undefined, false],
    [403, "Blocked by the firewall", false],
    [403, "The session has expired", true],
    [404, "The refresh token is unknown", false],
    [500, "The refresh token is unknown", false]
  ] as const)("HTTP %d without an error code, but with %j, ends a grant: %s", (status, description, ends) => {
    const words = description === undefined ? {} : { description }
    assert.strictEqual(meansGrantEnded(refusal({ status, ...words })), ends)
    assert.isFalse(meansGrantEnded(refusal({ status, ...words, clientCertificate: "refused" })))
  })
})
