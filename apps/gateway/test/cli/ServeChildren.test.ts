import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { existsSync, readFileSync } from "node:fs"
import { isRunning, until } from "../bridge/bridgeServer.ts"
import { TestLayer, writeFile } from "../config/configFile.ts"
import { serve } from "./gatewayProcess.ts"
import { initialize, post } from "./mcpMessages.ts"

/** A server that ignores the end of its input, and a process it has started that ignores SIGTERM. */
const source = (pidFile: string) => `
const { spawn } = require("node:child_process")
const other = spawn(process.execPath, ["-e", "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log()"])
setInterval(() => {}, 1000)
other.stdout.once("data", () => {
  require("node:fs").writeFileSync(${JSON.stringify(pidFile)}, process.pid + " " + other.pid)
  require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
    const { id } = JSON.parse(line)
    const result = { protocolVersion: "2025-11-25", capabilities: {}, serverInfo: { name: "stubborn", version: "1" } }
    if (id === "unanswered") console.error("silent")
    else if (id !== undefined) console.log(JSON.stringify({ jsonrpc: "2.0", id, result }))
  })
})
`

const startServing = Effect.gen(function* () {
  const pidFile = `${yield* writeFile("unused", "")}.pids`
  const gateway = yield* serve({
    servers: [{ server_name: "child", config: { command: process.execPath, args: ["-e", source(pidFile)] } }]
  })
  const { status } = yield* post(gateway.url, "child", initialize)
  assert.strictEqual(status, 200)
  yield* until(() => existsSync(pidFile))
  return { ...gateway, pids: readFileSync(pidFile, "utf8").split(" ").map(Number) }
})

describe("the children of serve", () => {
  layer(TestLayer, { excludeTestServices: true })((it) => {
    it.effect.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)(
      "%s ends the gateway with 0, and nothing is left of its children",
      (signal) =>
        Effect.gen(function* () {
          const { finished, pids, signal: send } = yield* startServing
          yield* send(signal)
          assert.strictEqual((yield* finished).exitCode, 0)
          yield* until(() => !pids.some(isRunning))
        })
    )

    it.effect("a gateway whose terminal was closed ends as on SIGHUP, although it cannot log any more", () =>
      Effect.gen(function* () {
        const { closeOutputs, finished, pids, signal, url } = yield* startServing
        yield* closeOutputs
        // Makes it log.
        yield* post(url, "child", { jsonrpc: "2.0", method: "notifications/unknown" })
        yield* signal("SIGHUP")
        assert.strictEqual((yield* finished).exitCode, 0)
        yield* until(() => !pids.some(isRunning))
      })
    )

    it.effect("a second signal ends a gateway that waits for a request, and its children, at once", () =>
      Effect.gen(function* () {
        const { finished, logged, pids, signal, url } = yield* startServing
        yield* Effect.forkScoped(Effect.exit(post(url, "child", { ...initialize, id: "unanswered" })))
        yield* logged("silent")
        yield* signal("SIGINT")
        yield* Effect.sleep("1100 millis")
        yield* signal("SIGINT")
        assert.strictEqual((yield* finished).exitCode, 130)
        yield* until(() => !pids.some(isRunning))
      })
    )

    it.effect("nothing is left of the children of a gateway that is killed", () =>
      Effect.gen(function* () {
        const { pids, signal } = yield* startServing
        yield* signal("SIGKILL")
        yield* until(() => !pids.some(isRunning))
      })
    )
  })
})
