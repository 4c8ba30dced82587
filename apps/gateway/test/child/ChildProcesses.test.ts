import { assert, describe, layer } from "@effect/vitest"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { isRunning, until } from "../bridge/bridgeServer.ts"
import { ChildProcesses } from "../../../../packages/gateway-server/src/child/ChildProcesses.ts"
import {
  currentSystem,
  type ProcessSystem
} from "../../../../packages/gateway-server/src/child/ProcessSystem.ts"
import { program } from "./startedChild.ts"

/** What starts children, and what it does when this process ends. */
const withExit = Effect.gen(function* () {
  const before = new Set(process.listeners("exit"))
  const scope = yield* Scope.make()
  yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
  const kills: Array<readonly [pid: number, signal: NodeJS.Signals | 0]> = []
  const system: ProcessSystem = {
    ...currentSystem,
    kill: (pid, signal) => {
      kills.push([pid, signal])
      currentSystem.kill(pid, signal)
    }
  }
  const context = yield* Layer.buildWithScope(ChildProcesses.layerSystem(system), scope)
  const added = process.listeners("exit").filter((listener) => !before.has(listener))
  return {
    processes: Context.get(context, ChildProcesses),
    kills,
    exit: () => {
      for (const listener of added) listener(1)
    },
    close: Scope.close(scope, Exit.void),
    listeners: () => process.listeners("exit").filter((listener) => !before.has(listener)).length
  }
})

const endless = program("setInterval(() => {}, 1000)")

describe("ChildProcesses", () => {
  layer(NodeServices.layer, { excludeTestServices: true })((it) => {
    it.effect("a gateway that crashes kills its children on its way out", () =>
      Effect.gen(function* () {
        const { close, exit, listeners, processes } = yield* withExit
        const children = yield* Effect.all([
          processes.start("one", endless, "pipe"),
          processes.start("other", endless, "pipe")
        ])
        assert.strictEqual(listeners(), 1)
        exit()
        for (const { ended } of children) assert.strictEqual((yield* ended).signal, "SIGKILL")
        yield* close
        assert.strictEqual(listeners(), 0)
      })
    )

    it.effect("a child that has ended is not killed again when the gateway crashes", () =>
      Effect.gen(function* () {
        const { exit, kills, processes } = yield* withExit
        const { ended } = yield* processes.start("child", program("process.exit(3)"), "pipe")
        assert.deepStrictEqual(yield* ended, { code: 3, signal: undefined })
        const before = kills.length
        exit()
        assert.lengthOf(kills, before)
      })
    )

    it.effect("a termination that is interrupted is completed with the scope of the child", () =>
      Effect.gen(function* () {
        const { processes } = yield* withExit
        const child = yield* Effect.scoped(
          Effect.gen(function* () {
            const child = yield* processes.start(
              "child",
              program(
                `process.on("SIGTERM", () => write("not yet")); setInterval(() => {}, 1000); write("ready")`
              ),
              "pipe"
            )
            const said: Array<string> = []
            child.process.stdout?.on("data", (data) => said.push(String(data)))
            yield* until(() => said.join("").includes("ready"))
            const termination = yield* Effect.forkChild(child.terminate("SIGTERM", "1 minute"))
            yield* until(() => said.join("").includes("not yet"))
            yield* Fiber.interrupt(termination)
            return child
          })
        )
        assert.strictEqual((yield* child.ended).signal, "SIGKILL")
      })
    )

    it.effect("the scope of a child ends it with the process that it has started", () =>
      Effect.gen(function* () {
        const { processes } = yield* withExit
        const source = `
          const other = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" })
          write(String(other.pid))
          setInterval(() => {}, 1000)`
        const pids = yield* Effect.scoped(
          Effect.gen(function* () {
            const child = yield* processes.start("child", program(source), "pipe")
            const said: Array<string> = []
            child.process.stdout?.on("data", (data) => said.push(String(data)))
            yield* until(() => said.length > 0)
            return [child.process.pid ?? 0, Number(said.join(""))]
          })
        )
        assert.lengthOf(pids, 2)
        yield* until(() => !pids.some(isRunning))
      })
    )
  })
})
