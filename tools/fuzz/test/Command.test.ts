import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestConsole from "effect/testing/TestConsole"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { makeFuzzCommand } from "../src/Command.ts"
import { fuzzTarget } from "../src/run/Round.ts"
import { runSession } from "../src/run/Session.ts"
import { Broken, type Trial } from "../src/run/Target.ts"
import { targetOf } from "./Fakes.ts"

const makeFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "fuzz-test-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

/** Runs the command against one target; gives how it ended, what it printed, and the inputs it tried. */
const run = Effect.fnUntraced(
  function* (trial: Trial<number>, findings: string, ...words: ReadonlyArray<string>) {
    const inputs: Array<unknown> = []
    const command = makeFuzzCommand({
      targets: [fuzzTarget(targetOf(trial))],
      noteInput: ({ input }) => void inputs.push(input),
      findings
    })
    const outcome = yield* Effect.result(Command.runWith(command, { version: "0" })(words))
    const printed = (yield* TestConsole.logLines).join("\n")
    return { isHeld: outcome._tag === "Success", printed, inputs }
  },
  Effect.provide(Layer.mergeAll(NodeServices.layer, TestConsole.layer))
)

const hold: Trial<number> = () => Effect.succeed([])
const breakAt =
  (limit: number): Trial<number> =>
  (input) =>
    input < limit ? Effect.succeed([]) : new Broken({ problem: `no number from ${limit} on` })

describe("npm run fuzz", () => {
  it.live("every target is tried, also if the first takes all the time", () =>
    Effect.gen(function* () {
      const results = yield* runSession({
        targets: [() => Effect.as(Effect.sleep("1200 millis"), []), hold].map((trial) =>
          fuzzTarget(targetOf(trial))
        ),
        seconds: 1,
        seed: 1,
        kept: [],
        noteInput: () => undefined
      })
      assert.deepStrictEqual(
        results.map(({ tried }) => tried),
        [1, 1]
      )
    })
  )

  it.live("the command prints the seed and how many inputs it tried, and ends in time", () =>
    Effect.gen(function* () {
      const start = performance.now()
      const { inputs, isHeld, printed } = yield* run(hold, yield* makeFolder, "--seconds", "1", "--seed", "7")
      assert.isTrue(isHeld)
      assert.include(printed, "seed 7, 1 seconds")
      assert.include(printed, `${inputs.length} inputs, 0 broke an invariant`)
      assert.isAbove(inputs.length, 0)
      assert.isBelow(performance.now() - start, 60_000)
    })
  )

  it.live("the command with one seed tries the same inputs again, and others with another seed", () =>
    Effect.gen(function* () {
      const folder = yield* makeFolder
      const inputsOf = (seed: string) =>
        Effect.map(run(hold, folder, "--seconds", "1", "--seed", seed), ({ inputs }) => inputs.slice(0, 100))
      const [first, again, next] = [yield* inputsOf("7"), yield* inputsOf("7"), yield* inputsOf("8")]
      const count = Math.min(first.length, again.length, next.length)
      assert.isAbove(count, 10)
      assert.deepStrictEqual(first.slice(0, count), again.slice(0, count))
      assert.notDeepEqual(first.slice(0, count), next.slice(0, count))
    })
  )

  it.live("the command fails with the input that broke an invariant, and with what tries it again", () =>
    Effect.gen(function* () {
      const folder = yield* makeFolder
      const { isHeld, printed } = yield* run(breakAt(500), folder, "--seconds", "1", "--seed", "7")
      assert.isFalse(isHeld)
      assert.include(printed, "BROKEN  numbers")
      assert.include(printed, "numbers broke an invariant: no number from 500 on")
      assert.match(printed, /\n {2}input {3}500\n/)
      assert.include(printed, "npm run fuzz -- --target numbers --seed 7")
      const file = /npm run fuzz -- --input (\S+)/.exec(printed)?.[1] ?? ""
      assert.strictEqual(readFileSync(file, "utf8"), "500\n")

      const replayed = yield* run(breakAt(500), folder, "--input", file)
      assert.isFalse(replayed.isHeld)
      assert.deepStrictEqual(replayed.inputs, [500])
      const mended = yield* run(hold, folder, "--input", file)
      assert.isTrue(mended.isHeld)
    })
  )
})
