import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { connect } from "node:net"
import { entryWith, TestLayer } from "../config/configFile.ts"
import { request } from "./mcpMessages.ts"
import { serve, startCommand, writeConfig } from "./gatewayProcess.ts"

const inspectorPort = 9229

const accepts = (port: number) =>
  Effect.callback<boolean>((resume) => {
    const socket = connect(port, "127.0.0.1")
    socket.on("connect", () => resume(Effect.succeed(true)))
    socket.on("error", () => resume(Effect.succeed(false)))
    return Effect.sync(() => void socket.destroy())
  })

/** Whether the inspector listens at any time in half a second. Another process of the machine must not use its port. */
const inspectorOpens = Effect.gen(function* () {
  for (let look = 0; look < 10; look++) {
    if (yield* accepts(inspectorPort)) return true
    yield* Effect.sleep("50 millis")
  }
  return false
})

describe("SIGUSR1", () => {
  layer(TestLayer, { excludeTestServices: true })((it) => {
    it.effect("SIGUSR1 opens no inspector of serve, which goes on", (context) =>
      Effect.gen(function* () {
        if (yield* accepts(inspectorPort)) return context.skip("another process has an inspector open")
        const gateway = yield* serve({ servers: [entryWith()] }, [], { CLIENT_SECRET: "secret" })
        yield* gateway.signal("SIGUSR1")
        assert.isFalse(yield* inspectorOpens)
        assert.strictEqual((yield* request(`${gateway.url}/healthz`)).status, 200)
        yield* gateway.signal("SIGTERM")
        const { exitCode, stderr } = yield* gateway.finished
        assert.strictEqual(exitCode, 0)
        assert.notInclude(stderr, "Debugger listening")
      })
    )

    it.effect("SIGUSR1 opens no inspector of stdio, which goes on", (context) =>
      Effect.gen(function* () {
        if (yield* accepts(inspectorPort)) return context.skip("another process has an inspector open")
        const config = yield* writeConfig({
          servers: [
            {
              server_name: "child",
              config: {
                command: process.execPath,
                args: ["-e", "console.log('ready'); process.stdin.on('data', () => process.exit(0))"]
              }
            }
          ]
        })
        const command = yield* startCommand(["stdio", "child", "-c", config], {})
        yield* command.until("stdout", (text) => (text.includes("ready") ? true : undefined))
        yield* command.signal("SIGUSR1")
        assert.isFalse(yield* inspectorOpens)
        yield* command.write("end\n")
        assert.strictEqual((yield* command.finished).exitCode, 0)
      })
    )
  })
})
