import { assert, describe, it } from "@effect/vitest"
import { OAuthErrorReason, oauthConfigKeys } from "@secure-mcp/oauth-core"
import { readFileSync } from "node:fs"

const manual = readFileSync(new URL("../../../../docs/gateway.md", import.meta.url), "utf8")

describe("the operator's manual", () => {
  it.each(oauthConfigKeys)("the operator's manual explains the key %s", (key) => {
    assert.include(manual, `\`${key}\``)
  })

  it.each(OAuthErrorReason.members.map(({ identifier }) => identifier))(
    "the operator's manual explains the reason %s",
    (reason) => {
      assert.include(manual, `\`${reason}\``)
    }
  )
})
