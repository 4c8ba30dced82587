import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { once } from "node:events"
import { type IncomingMessage, request, type ServerResponse } from "node:http"
import type { Writable } from "node:stream"
import { setImmediate } from "node:timers/promises"
import { serveRaw } from "../RawHttp.ts"
import { startGateway } from "../RunningGateway.ts"

const chunk = Buffer.alloc(256 * 1024, "a")
const total = 48 * 1024 * 1024

/** What the sockets on the way and the gateway may hold, the four MiB of a request's head included. */
const most = 24 * 1024 * 1024

/**
 * Writes until nothing more is taken: sender, gateway and receiver share this process, so that a while without a `drain`
 * means that none will come. Gives the bytes taken.
 */
const writeUntilStuck = async (to: Writable): Promise<number> => {
  let written = 0
  while (written < total) {
    written += chunk.length
    if (!to.write(chunk) && !(await drainsSoon(to))) return written
  }
  return written
}

const drainsSoon = async (to: Writable): Promise<boolean> => {
  for (let turns = 0; turns < 2000; turns += 1) {
    if (!to.writableNeedDrain) return true
    await setImmediate()
  }
  return false
}

const writeRest = async (to: Writable, written: number) => {
  for (let left = total - written; left > 0; left -= chunk.length) {
    if (!to.write(chunk)) await once(to, "drain")
  }
  to.end()
}

const count = async (from: IncomingMessage): Promise<number> => {
  let received = 0
  for await (const bytes of from) received += bytes.length
  return received
}

const start = Effect.gen(function* () {
  const exchange = Deferred.makeUnsafe<readonly [IncomingMessage, ServerResponse]>()
  const upstream = yield* serveRaw((...pair) => Deferred.doneUnsafe(exchange, Effect.succeed(pair)))
  const gateway = yield* startGateway({ servers: [{ server_name: "raw", config: { url: upstream.url } }] })
  return { url: gateway.mcp("raw"), exchange: Deferred.await(exchange) }
})

describe("a peer that does not read", () => {
  it.effect("an event stream is held at its server while the client does not read, and loses nothing", () =>
    Effect.gen(function* () {
      const { exchange, url } = yield* start
      const outgoing = request(url, { agent: false })
      const answered = once(outgoing, "response")
      outgoing.end()
      const [, response] = yield* exchange
      response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders()
      const written = yield* Effect.promise(() => writeUntilStuck(response))
      assert.isBelow(written, most)
      const received = yield* Effect.promise(async () => {
        const [answer] = await answered
        const [bytes] = await Promise.all([count(answer), writeRest(response, written)])
        return bytes
      })
      assert.strictEqual(received, total)
    })
  )

  it.effect("a long body is held at its client while the server does not read, and loses nothing", () =>
    Effect.gen(function* () {
      const { exchange, url } = yield* start
      const outgoing = request(url, { method: "POST", agent: false })
      const written = yield* Effect.promise(() => writeUntilStuck(outgoing))
      assert.isBelow(written, most)
      const [incoming, response] = yield* exchange
      const received = yield* Effect.promise(async () => {
        const [bytes] = await Promise.all([count(incoming), writeRest(outgoing, written)])
        const answered = once(outgoing, "response")
        response.end()
        await answered
        return bytes
      })
      assert.strictEqual(received, total)
    })
  )
})
