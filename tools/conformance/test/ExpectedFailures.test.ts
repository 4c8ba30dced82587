import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { compare, readExpectedFailures } from "../src/suite/ExpectedFailures.ts"

const run = (scenario: string, passed: boolean) => ({ side: "client" as const, scenario, passed })
const expected = { client: ["auth/dpop"] }

describe("expected failures", () => {
  it("expected failures that happen are no problem", () => {
    const comparison = compare([run("auth/dpop", false), run("auth/basic-cimd", true)], expected)
    assert.deepStrictEqual(comparison, { unexpectedFailures: [], unexpectedPasses: [] })
  })

  it("expected failures that pass in every run are a problem", () => {
    const comparison = compare([run("auth/dpop", true), run("auth/dpop", true)], expected)
    assert.deepStrictEqual(comparison, { unexpectedFailures: [], unexpectedPasses: ["auth/dpop"] })
  })

  it("expected failures that fail at one revision only are no problem", () => {
    const comparison = compare([run("auth/dpop", true), run("auth/dpop", false)], expected)
    assert.deepStrictEqual(comparison, { unexpectedFailures: [], unexpectedPasses: [] })
  })

  it("an expected failure of the client side excuses no scenario of the server side", () => {
    const comparison = compare([{ side: "server", scenario: "auth/dpop", passed: false }], expected)
    assert.deepStrictEqual(comparison, { unexpectedFailures: ["auth/dpop"], unexpectedPasses: [] })
  })

  it("an expected failure that did not run is no problem", () => {
    assert.deepStrictEqual(compare([], expected), { unexpectedFailures: [], unexpectedPasses: [] })
  })

  it.effect("the expected failures are read from a file in the suite's own form", () =>
    Effect.gen(function* () {
      const { client = [] } = yield* readExpectedFailures(
        new URL("../expected-failures.yaml", import.meta.url)
      )
      assert.include(client, "auth/dpop")
    })
  )
})
