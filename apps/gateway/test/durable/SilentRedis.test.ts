import { assert, describe, layer } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { once } from "node:events"
import { createServer, type AddressInfo } from "node:net"
import { runGateway, writeConfig } from "../cli/gatewayProcess.ts"
import { entryWith, TestLayer } from "../config/configFile.ts"

const silentServer = Effect.acquireRelease(
  Effect.promise(async () => {
    const server = createServer((socket) => socket.on("error", () => {})).listen(0, "127.0.0.1")
    await once(server, "listening")
    return server
  }),
  (server) => Effect.sync(() => server.close())
)

describe("a Redis that accepts and says nothing", () => {
  layer(TestLayer, { excludeTestServices: true })((it) => {
    it.effect("serve, token and tokens list end with what to do within store.timeout_seconds", () =>
      Effect.gen(function* () {
        const { port } = (yield* silentServer).address() as AddressInfo
        const config = yield* writeConfig({
          servers: [entryWith()],
          store: {
            type: "redis",
            url: `redis://127.0.0.1:${port}`,
            encryption_key: "0123456789abcdefghijklmnopqrstuvwxyz",
            timeout_seconds: 0.5
          }
        })
        for (const command of [
          ["serve", "--port", "0"],
          ["token", "remote"],
          ["tokens", "list"]
        ]) {
          const [took, { exitCode, stderr }] = yield* Effect.timed(
            runGateway([...command, "-c", config], { CLIENT_SECRET: "secret" })
          )
          assert.strictEqual(exitCode, 1, command[0])
          assert.match(
            stderr,
            /does not answer within 0.5 seconds\. Check that this is the address of a Redis/
          )
          assert.isBelow(Duration.toSeconds(took), 20, command[0])
        }
      })
    )
  })
})
