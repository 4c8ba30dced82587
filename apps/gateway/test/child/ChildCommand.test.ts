import { assert, describe, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import { makeRedactor } from "../../src/child/ChildCommand.ts"

describe("the logs of a child", () => {
  it("the logs of a child hide the token when its variable contains more than the token", () => {
    const redact = makeRedactor({
      command: "node",
      args: [],
      env: { AUTH_HEADER: Redacted.make("Bearer the-token") },
      token: Redacted.make("the-token")
    })
    assert.strictEqual(redact("Bearer the-token, the-token"), "<redacted>, <redacted>")
  })
})
