import { assert, describe, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import { makeRedactor } from "../../../../packages/gateway-server/src/child/ChildCommand.ts"

describe("the logs of a child", () => {
  it("the logs of a child hide the token when its variable contains more than the token", () => {
    const redact = makeRedactor({
      command: "node",
      args: [],
      env: { AUTH_HEADER: Redacted.make("Bearer the-token") },
      tokens: () => [Redacted.make("the-token")]
    })
    assert.strictEqual(redact("Bearer the-token, the-token"), "<redacted>, <redacted>")
  })

  it("the logs of a child hide a token that it has got after its start, and the one before it", () => {
    let tokens = [Redacted.make("first-token")]
    const redact = makeRedactor({ command: "node", args: [], env: {}, tokens: () => tokens })
    assert.strictEqual(redact("first-token, second-token"), "<redacted>, second-token")
    tokens = [...tokens, Redacted.make("second-token")]
    assert.strictEqual(redact("first-token, second-token"), "<redacted>, <redacted>")
  })
})
