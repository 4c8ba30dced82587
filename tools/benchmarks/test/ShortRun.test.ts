import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { fileURLToPath } from "node:url"
import type { Measurement, Run } from "../src/measurement/Measurement.ts"
import { carryOut } from "../src/measurement/Rounds.ts"
import { cached } from "../src/measurements/tokens/Cached.ts"
import { inbound } from "../src/measurements/tokens/Inbound.ts"
import { warm } from "../src/measurements/Warm.ts"
import { CouldNotStart } from "../src/process/CouldNotStart.ts"

/** So little that its figures mean nothing; the gateway runs from its sources, which need no build. */
const run: Run = {
  rounds: 1,
  share: 0.005,
  bundle: fileURLToPath(new URL("src/main.ts", import.meta.resolve("@secure-mcp/gateway/package.json")))
}

const withRivals = (measurement: Measurement, ...names: ReadonlyArray<string>): Measurement => ({
  ...measurement,
  rivals: measurement.rivals.filter(({ name }) => names.includes(name))
})

/** Figures of ours that are missing. */
const missingFigures = Effect.fnUntraced(function* (measurement: Measurement) {
  const { ours, rivals, skipped } = yield* carryOut(measurement, run)
  assert.strictEqual(rivals.length + skipped.length, measurement.rivals.length)
  for (const { rounds } of rivals) assert.isNotEmpty(Object.keys(rounds[0] ?? {}))
  return measurement.rows
    .map(({ figure }) => figure)
    .filter((figure) => !Number.isFinite(ours.rounds[0]?.[figure]))
})

const contender = (name: string, start: Measurement["ours"]["start"]) => ({ name, start })

const measurement: Measurement = {
  name: "a-measurement",
  measures: "something",
  ours: contender("gateway", () => Effect.succeed(async () => ({ cpu: 1 }))),
  rivals: [],
  rows: [{ figure: "cpu", title: "CPU", unit: "µs" }],
  targets: []
}

describe("a short run", () => {
  it.live("proxies pass requests on, and every figure of the gateway is measured", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* missingFigures(withRivals(warm, "bare Node")), [])
    })
  )

  it.live("programs that measure themselves are asked for every figure", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* missingFigures(withRivals(cached, "Map")), [])
      assert.deepStrictEqual(yield* missingFigures(withRivals(inbound, "jose")), [])
    })
  )
})

describe("the rounds of a measurement", () => {
  it.live("contenders take turns, and every second round goes backwards", () =>
    Effect.gen(function* () {
      const turns: Array<string> = []
      const takesPart = (name: string) =>
        contender(name, () =>
          Effect.succeed(async () => {
            turns.push(name)
            return { cpu: turns.length }
          })
        )
      const both = { ...measurement, ours: takesPart("ours"), rivals: [takesPart("rival")] }
      const { ours } = yield* carryOut(both, { ...run, rounds: 3 })
      assert.deepStrictEqual(turns, ["rival", "ours", "ours", "rival", "rival", "ours"])
      assert.deepStrictEqual(ours.rounds, [{ cpu: 2 }, { cpu: 3 }, { cpu: 6 }])
    })
  )

  it.live("a rival that is not installed or breaks is left out, with the reason", () =>
    Effect.gen(function* () {
      const missing = contender("missing", () =>
        Effect.fail(new CouldNotStart({ program: "missing", reason: "not installed", isMissing: true }))
      )
      const broken = contender("broken", () =>
        Effect.succeed(() => Promise.reject(new Error("the answer was 502")))
      )
      const { rivals, skipped } = yield* carryOut({ ...measurement, rivals: [missing, broken] }, run)
      assert.deepStrictEqual(rivals, [])
      assert.deepStrictEqual(skipped, [
        "missing did not start: not installed",
        "broken did not do its work: the answer was 502"
      ])
    })
  )

  it.live("a gateway that breaks is an error", () =>
    Effect.gen(function* () {
      const ours = contender("gateway", () =>
        Effect.succeed(() => Promise.reject(new Error("the answer was 502")))
      )
      const error = yield* Effect.flip(carryOut({ ...measurement, ours }, run))
      assert.strictEqual(error.message, "gateway did not do its work: the answer was 502")
    })
  )
})
