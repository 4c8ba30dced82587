import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { fileURLToPath } from "node:url"
import { supervise } from "../src/run/Supervisor.ts"

const fixture = fileURLToPath(new URL("fixtures/session.ts", import.meta.url))

const superviseSession = (deed: string, silence?: number) =>
  supervise({
    command: ["--conditions=@secure-mcp/source", fixture, deed],
    ...(silence === undefined ? {} : { silence })
  })

describe("a session in a process of its own", () => {
  for (const exitCode of [0, 1]) {
    it.live(`a session that ends with exit code ${exitCode} has said everything itself`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* superviseSession(String(exitCode)), { _tag: "Ended", exitCode })
      })
    )
  }

  it.live("an input whose computation never ends is reported", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* superviseSession("loop", 6000), {
        _tag: "Lost",
        problem: "no stall: it had not ended after 6 seconds",
        underWay: { target: "numbers", input: 42 }
      })
    })
  )

  it.live("an input that ends the process is reported", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* superviseSession("abort"), {
        _tag: "Lost",
        problem: "no crash: the process ended with SIGABRT",
        underWay: { target: "numbers", input: 42 }
      })
    })
  )
})
