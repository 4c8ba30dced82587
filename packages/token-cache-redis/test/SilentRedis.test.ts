import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import { once } from "node:events"
import { createServer, type AddressInfo, type Socket } from "node:net"
import { TokenStore } from "@secure-mcp/token-cache"
import { RedisConnection, RedisTokenStore } from "@secure-mcp/token-cache-redis"
import { keyOf, openStore, secretOf, useRedisProgram } from "./redis.ts"

const redis = useRedisProgram()

/** A listener that takes every connection, and answers each piece of what it gets as it is told. */
const listener = (answer: (socket: Socket, piece: number) => void) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const sockets = new Set<Socket>()
      const server = createServer((socket) => {
        sockets.add(socket)
        let pieces = 0
        socket.on("error", () => {}).on("close", () => sockets.delete(socket))
        socket.on("data", () => answer(socket, (pieces += 1)))
        answer(socket, 0)
      }).listen(0, "127.0.0.1")
      await once(server, "listening")
      return { server, sockets, port: (server.address() as AddressInfo).port }
    }),
    ({ server, sockets }) =>
      Effect.promise(async () => {
        for (const socket of sockets) socket.destroy()
        server.close()
      })
  )

const open = (url: string) =>
  RedisTokenStore.layer({ encryptionKey: secretOf("one") }).pipe(
    Layer.provide(RedisConnection.layer({ url: Redacted.make(url), timeout: "300 millis" })),
    Layer.build,
    Effect.flatMap((services) => Effect.provide(TokenStore, services)),
    Effect.scoped
  )

describe("a Redis that accepts the connection and does not answer", () => {
  it.live.each([
    { peer: "is silent", url: "redis://127.0.0.1", answer: () => {} },
    {
      peer: "is silent after the login",
      url: "redis://u:p@127.0.0.1",
      answer: (socket: Socket, piece: number) => piece === 1 && socket.write("+OK\r\n")
    },
    { peer: "never ends the TLS handshake", url: "rediss://127.0.0.1", answer: () => {} },
    {
      peer: "never ends its first reply",
      url: "redis://127.0.0.1",
      answer: (socket: Socket) => {
        const drip = setInterval(() => socket.write("x"), 50)
        socket.write("$100000\r\n")
        socket.once("close", () => clearInterval(drip))
      }
    }
  ])(
    "a Redis that $peer is an error within the time limit, and its connection is closed",
    ({ answer, url }) =>
      Effect.gen(function* () {
        const { port, sockets } = yield* listener(answer)
        const [took, error] = yield* Effect.timed(Effect.flip(open(`${url}:${port}`)))
        assert.strictEqual(error._tag, "StoreUnavailable")
        assert.include(error.message, `Redis at 127.0.0.1:${port}`)
        assert.match(error.message, /does not answer within 0.3 seconds\. Check/)
        assert.isBelow(Duration.toSeconds(took), 10)
        yield* Effect.retry(
          Effect.suspend(() => (sockets.size === 0 ? Effect.void : Effect.fail("open"))),
          { times: 600, schedule: Schedule.spaced("50 millis") }
        )
      }).pipe(Effect.scoped)
  )

  it.live("a Redis that speaks another protocol is an error within the time limit", () =>
    Effect.gen(function* () {
      const { port } = yield* listener((socket, piece) => {
        if (piece === 1) socket.write("HTTP/1.1 400 Bad Request\r\nserver: nginx\r\n\r\n")
      })
      const [took, error] = yield* Effect.timed(Effect.flip(open(`redis://127.0.0.1:${port}`)))
      assert.strictEqual(error._tag, "StoreUnavailable")
      assert.include(error.message, "Check")
      assert.isBelow(Duration.toSeconds(took), 10)
    }).pipe(Effect.scoped)
  )

  it.live(
    "each command of a Redis that became silent fails in time, and the connection ends in time",
    (context) =>
      Effect.gen(function* () {
        const server = yield* redis.start(context)
        const [took] = yield* Effect.timed(
          Effect.scoped(
            Effect.gen(function* () {
              const { store } = yield* openStore({ url: server.url })
              yield* server.pause
              const errors = yield* Effect.forEach(
                [store.get(keyOf("a")), store.list, store.checkWritable, store.remove(keyOf("a"))],
                (command) => Effect.flip(Effect.asVoid(command)),
                { concurrency: "unbounded" }
              )
              for (const error of errors) assert.match(error.message, /does not answer\. Check that it runs/)
            })
          )
        )
        assert.isBelow(Duration.toSeconds(took), 20)
        yield* server.resume
      }).pipe(Effect.scoped)
  )
})
