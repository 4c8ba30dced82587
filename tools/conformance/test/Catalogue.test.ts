import { assert, describe, it } from "@effect/vitest"
import { authScenarios, requiredServerScenarios } from "../src/suite/Catalogue.ts"

describe("the list of scenarios", () => {
  it("each auth scenario is listed once for every revision it applies to", () => {
    const listing = `Server scenarios (test against a server):
  - ping [2025-06-18,2025-11-25]

Client scenarios (test against a client):
  - initialize [2025-06-18,2025-11-25]
  - auth/basic-cimd [2025-11-25,2026-07-28]
  - auth/resource-mismatch [2026-07-28]
`
    assert.deepStrictEqual(authScenarios(listing), [
      { name: "auth/basic-cimd", revision: "2025-11-25", isExtension: false },
      { name: "auth/basic-cimd", revision: "2026-07-28", isExtension: false },
      { name: "auth/resource-mismatch", revision: "2026-07-28", isExtension: false }
    ])
  })

  it("an extension is listed at the last revision with sessions and at the stateless one", () => {
    assert.deepStrictEqual(authScenarios("  - auth/dpop [extension]\n"), [
      { name: "auth/dpop", revision: "2025-11-25", isExtension: true },
      { name: "auth/dpop", revision: "2026-07-28", isExtension: true }
    ])
  })

  it("required scenarios of servers are listed, and unscored ones are not", () => {
    const listing = `Required for 2026-07-28 (3 scenarios, frozen; run at the 2026-07-28 wire):

Server scenarios (test against a server):
  - server-stateless
  - tools-list

Client scenarios (test against a client):
  - tools_call

Run and reported, but never scored:
  extension (1):
    - tasks-lifecycle [server]
`
    assert.deepStrictEqual(requiredServerScenarios(listing), ["server-stateless", "tools-list"])
  })
})
