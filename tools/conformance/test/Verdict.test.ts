import { assert, describe, it } from "@effect/vitest"
import { judge } from "../src/client/Verdict.ts"

const exchanged = { _tag: "Exchanged", logins: 1 } as const
const refused = (reason: string) => ({ _tag: "Refused", reason }) as const

describe("the verdict about a client's run", () => {
  it("the verdict is good for a whole exchange", () => {
    assert.isTrue(judge("auth/metadata-default", exchanged).asExpected)
  })

  it("the verdict is bad for a refusal that no scenario wants", () => {
    assert.isFalse(judge("auth/metadata-default", refused("DiscoveryFailed")).asExpected)
  })

  it("the verdict is good for a refusal with the reason of the scenario", () => {
    const reason = "its `iss` is not the authorization server that was asked (RFC 9207)"
    assert.isTrue(judge("auth/iss-wrong-issuer", refused(reason)).asExpected)
  })

  it("the verdict is bad for a refusal with another reason", () => {
    assert.isFalse(judge("auth/iss-wrong-issuer", refused("The token endpoint is away")).asExpected)
  })

  it("the verdict is bad for an exchange that should have been refused", () => {
    assert.isFalse(judge("auth/iss-wrong-issuer", exchanged).asExpected)
  })
})
