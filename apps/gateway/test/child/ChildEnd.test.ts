import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import { startChildServer } from "../../../../packages/gateway-server/src/child/ChildServer.ts"
import { isRunning, until } from "../bridge/bridgeServer.ts"
import { ChildLayer, program, startChild } from "./startedChild.ts"

describe("the end of a child", () => {
  layer(ChildLayer, { excludeTestServices: true })((it) => {
    it.effect.each<readonly [string, string]>([
      ["process.exit(0)", "exited with code 0"],
      ["process.exit(3)", "exited with code 3"],
      [`process.kill(process.pid, "SIGKILL")`, "was ended by the signal SIGKILL"],
      [`process.kill(process.pid, "SIGSEGV")`, "was ended by the signal SIGSEGV"],
      [`process.kill(process.pid, "SIGTERM"); setInterval(() => {}, 1000)`, "was ended by the signal SIGTERM"]
    ])("a child that does %s %s", ([source, expected]) =>
      Effect.gen(function* () {
        const { connection } = yield* startChild(program(source))
        assert.strictEqual(yield* connection.ended, expected)
      })
    )

    it.effect("how a child ended is told with the last lines of its error output, without secrets", () =>
      Effect.gen(function* () {
        const { connection, log } = yield* startChild(
          program(
            `
            for (let line = 0; line < 100; line += 1) console.error("line " + line)
            console.error("wrong token " + process.env.API_TOKEN)
            throw new Error("cannot start")`,
            { API_TOKEN: "canary-secret-value" }
          )
        )
        const ended = yield* connection.ended
        assert.match(ended, /^exited with code 1\. The end of its error output:\n/)
        assert.include(ended, "wrong token <redacted>")
        assert.include(ended, "Error: cannot start")
        assert.notInclude(ended, "line 50")
        assert.notInclude(ended, "canary-secret-value")
        assert.include(log(), "line 50")
      })
    )

    it.effect("what is told of the error output is bounded", () =>
      Effect.gen(function* () {
        const { connection } = yield* startChild(
          program(`console.error("x".repeat(50_000)); console.error("the end"); process.exitCode = 1`)
        )
        const ended = yield* connection.ended
        assert.isBelow(ended.length, 2200)
        assert.match(ended, /x\nthe end$/)
      })
    )

    it.effect("a child that closes its output can answer nothing more, and is ended", () =>
      Effect.gen(function* () {
        const { connection } = yield* startChild(
          program(`setInterval(() => {}, 1000); require("node:fs").closeSync(1)`)
        )
        assert.strictEqual(
          yield* connection.ended,
          "closed its standard output and was ended by the signal SIGTERM"
        )
      })
    )

    it.effect("a child that closes its input is asked nothing more, and is ended once that is noticed", () =>
      Effect.gen(function* () {
        const { connection, messages } = yield* startChild(
          program(`
            setInterval(() => {}, 1000)
            require("node:fs").closeSync(0)
            write(answer(1))`)
        )
        yield* until(() => messages.length === 1)
        yield* connection.send("{}")
        assert.strictEqual(
          yield* connection.ended,
          "closed its standard input and was ended by the signal SIGTERM"
        )
      })
    )

    it.effect(
      "what a child has started ends with it, although it holds the outputs and ignores SIGTERM",
      () =>
        Effect.gen(function* () {
          const { connection, messages } = yield* startChild(
            program(`
            const source = "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.error('here')"
            const other = spawn(process.execPath, ["-e", source], { stdio: ["ignore", "inherit", "pipe"] })
            other.stderr.once("data", () => {
              write(answer(1, { pid: other.pid }))
              process.stdout.write("", () => process.exit(4))
            })`)
          )
          assert.strictEqual(yield* connection.ended, "exited with code 4")
          const pid = Object(messages[0]?.json["result"])["pid"]
          yield* until(() => !isRunning(pid))
        })
    )

    it.effect(
      "a child that ignores the end of its input and SIGTERM is killed, with what it has started",
      () =>
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          const { messages } = yield* startChild(
            program(`
            process.on("SIGTERM", () => {})
            setInterval(() => {}, 1000)
            const other = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" })
            write(answer(1, { pids: [process.pid, other.pid] }))`)
          ).pipe(Scope.provide(scope))
          yield* until(() => messages.length === 1)
          yield* Scope.close(scope, Exit.void)
          const pids: ReadonlyArray<number> = Object(messages[0]?.json["result"])["pids"]
          yield* until(() => !pids.some(isRunning))
        })
    )

    it.effect("a message that cannot be handled ends the connection, and nobody waits for the next", () =>
      Effect.gen(function* () {
        const command = program("write(answer(1)); setInterval(() => {}, 1000)")
        const connection = yield* startChildServer("child", command, () => Effect.die("broken")).pipe(
          Effect.provide(Logger.layer([]))
        )
        assert.strictEqual(
          yield* connection.ended,
          "was stopped, because its output could not be read, and was ended by the signal SIGTERM"
        )
      })
    )

    it.effect("what a child has written before its end arrives, although it was written to meanwhile", () =>
      Effect.gen(function* () {
        const { connection, messages } = yield* startChild(
          program(`
            require("node:fs").closeSync(0)
            for (let id = 0; id < 20_000; id += 1) write(answer(id))`)
        )
        yield* until(() => messages.length > 0)
        yield* connection.send("{}")
        assert.strictEqual(yield* connection.ended, "exited with code 0")
        assert.lengthOf(messages, 20_000)
      })
    )

    it.effect("a message to a child that has ended is dropped", () =>
      Effect.gen(function* () {
        const { connection } = yield* startChild(program("process.exit(0)"))
        yield* connection.ended
        yield* connection.send("{}")
      })
    )
  })
})
