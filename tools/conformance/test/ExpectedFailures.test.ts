import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { compare, readExpectedFailures } from "../src/suite/ExpectedFailures.ts"

const run = (scenario: string, passed: boolean) => ({ side: "client" as const, scenario, passed })
const expected = { client: ["auth/dpop"] }

describe("expected failures", () => {
  it("are no problem when they happen", () => {
    const comparison = compare([run("auth/dpop", false), run("auth/basic-cimd", true)], expected)
    assert.deepStrictEqual(comparison, { unexpectedFailures: [], unexpectedPasses: [] })
  })

  it("are a problem when they pass in every run", () => {
    const comparison = compare([run("auth/dpop", true), run("auth/dpop", true)], expected)
    assert.deepStrictEqual(comparison, { unexpectedFailures: [], unexpectedPasses: ["auth/dpop"] })
  })

  it("are no problem when they fail at one revision only", () => {
    const comparison = compare([run("auth/dpop", true), run("auth/dpop", false)], expected)
    assert.deepStrictEqual(comparison, { unexpectedFailures: [], unexpectedPasses: [] })
  })

  it("of the client side excuse no scenario of the server side", () => {
    const comparison = compare([{ side: "server", scenario: "auth/dpop", passed: false }], expected)
    assert.deepStrictEqual(comparison, { unexpectedFailures: ["auth/dpop"], unexpectedPasses: [] })
  })

  it("that did not run are no problem", () => {
    assert.deepStrictEqual(compare([], expected), { unexpectedFailures: [], unexpectedPasses: [] })
  })

  it.effect("are read from the file in the suite's own form", () =>
    Effect.gen(function* () {
      const { client = [] } = yield* readExpectedFailures(
        new URL("../expected-failures.yaml", import.meta.url)
      )
      assert.include(client, "auth/dpop")
    })
  )
})
