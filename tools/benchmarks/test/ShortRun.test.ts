import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { fileURLToPath } from "node:url"
import type { Run } from "../src/measurement/Measurement.ts"
import { carryOut } from "../src/measurement/Rounds.ts"
import { warm } from "../src/measurements/Warm.ts"

/** So little that its figures mean nothing; the gateway runs from its sources, which need no build. */
const run: Run = {
  rounds: 1,
  share: 0.005,
  bundle: fileURLToPath(new URL("src/main.ts", import.meta.resolve("@secure-mcp/gateway/package.json")))
}

const measurement = {
  ...warm,
  rivals: warm.rivals.filter(({ name }) => ["bare Node", "nginx"].includes(name))
}

describe("a short run", () => {
  it.live("each contender does the work and has every figure of the table", () =>
    Effect.gen(function* () {
      const { ours, rivals, skipped } = yield* carryOut(measurement, run)
      assert.strictEqual(rivals.length + skipped.length, measurement.rivals.length)
      for (const { rounds } of [ours, ...rivals]) {
        const [figures = {}] = rounds
        assert.deepStrictEqual(
          warm.rows.filter(({ figure }) => !Number.isFinite(figures[figure])),
          []
        )
      }
    })
  )
})
