import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestLayer } from "../config/configFile.ts"
import { runGateway } from "./gatewayProcess.ts"

describe("the command line", () => {
  layer(TestLayer)((it) => {
    it.effect("explains itself", () =>
      Effect.gen(function* () {
        const { exitCode, stderr, stdout } = yield* runGateway(["--help"])
        assert.strictEqual(exitCode, 0)
        assert.strictEqual(stderr, "")
        for (const word of ["serve", "stdio", "token", "check", "--log-format", "--log-level"]) {
          assert.include(stdout, word)
        }
      })
    )

    it.effect("explains each command", () =>
      Effect.gen(function* () {
        const { exitCode, stdout } = yield* runGateway(["serve", "--help"])
        assert.strictEqual(exitCode, 0)
        for (const word of ["--config", "--host", "--port", "--allow-unauthenticated"]) {
          assert.include(stdout, word)
        }
      })
    )

    it.effect.each([
      { args: ["srve"], problem: "srve" },
      { args: ["check", "--confg", "x"], problem: "--confg" },
      { args: ["stdio", "--config", "x"], problem: "SERVER" }
    ])("writes nothing to standard output for a command line with an error: $args", ({ args, problem }) =>
      Effect.gen(function* () {
        const { exitCode, stderr, stdout } = yield* runGateway(args)
        assert.strictEqual(exitCode, 1)
        assert.strictEqual(stdout, "")
        assert.include(stderr, "USAGE")
        assert.include(stderr.slice(stderr.indexOf("ERROR")), problem)
      })
    )
  })
})
