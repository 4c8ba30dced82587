import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { once } from "node:events"
import * as net from "node:net"
import { refusedPort } from "../src/index.ts"

const firstError = (emitter: net.Socket | net.Server) =>
  Effect.promise(async () => {
    const [error] = (await once(emitter, "error")) as [NodeJS.ErrnoException]
    return error.code
  })

describe("refusedPort", () => {
  it.effect("a refused port refuses every connection", () =>
    Effect.gen(function* () {
      const port = yield* refusedPort
      for (let i = 0; i < 3; i++) {
        assert.strictEqual(yield* firstError(net.connect(port, "127.0.0.1")), "ECONNREFUSED")
      }
    })
  )

  it.effect("a refused port cannot be taken by another server meanwhile", () =>
    Effect.gen(function* () {
      const port = yield* refusedPort
      assert.strictEqual(yield* firstError(net.createServer().listen(port, "127.0.0.1")), "EADDRINUSE")
    })
  )
})
