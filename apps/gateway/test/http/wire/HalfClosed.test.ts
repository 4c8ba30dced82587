import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { once } from "node:events"
import type { IncomingMessage, ServerResponse } from "node:http"
import { text } from "node:stream/consumers"
import { connectTo, converse, echoed, path, startOnWire, statusOf } from "./RawConnection.ts"

describe("a client that closes its sending side with its request", () => {
  it.effect("the client still gets the answer", () =>
    Effect.gen(function* () {
      for (const version of ["1.1", "1.0"]) {
        const { gateway, wire } = yield* startOnWire()
        const request = wire(`POST ${path} HTTP/${version}`, ["Host: HOST", "Content-Length: 2"], "{}")
        const answer = yield* converse(gateway.url, request, { halfClosed: true })
        assert.strictEqual(statusOf(answer), 200)
        assert.strictEqual(echoed(answer)["body"], "{}")
      }
    })
  )

  it.effect("the client still gets all of an event stream that began later", () =>
    Effect.gen(function* () {
      const held = Deferred.makeUnsafe<ServerResponse>()
      const { gateway, wire } = yield* startOnWire((_request, response) =>
        Deferred.doneUnsafe(held, Effect.succeed(response))
      )
      const answer = yield* Effect.promise(async () => {
        const socket = connectTo(gateway.url)
        socket.end(wire(`GET ${path} HTTP/1.1`, ["Host: HOST"]))
        // The question whether the client is still there: it is.
        const [interim] = await once(socket, "data")
        assert.match(String(interim), /^HTTP\/1\.1 102 /)
        const response = await Effect.runPromise(Deferred.await(held))
        response.writeHead(200, { "content-type": "text/event-stream" }).write("data: 1\n\n")
        response.end("data: 2\n\n")
        return text(socket)
      })
      assert.match(answer, /^HTTP\/1\.1 200 .*data: 1.*data: 2/s)
    })
  )

  it.effect("a client that leaves while it waits ends the server's request", () =>
    Effect.gen(function* () {
      const held = Deferred.makeUnsafe<IncomingMessage>()
      const { gateway, wire } = yield* startOnWire((request) =>
        Deferred.doneUnsafe(held, Effect.succeed(request))
      )
      const socket = connectTo(gateway.url)
      socket.write(wire(`POST ${path} HTTP/1.1`, ["Host: HOST", "Content-Length: 2"], "{}"))
      const { socket: upstream } = yield* Deferred.await(held)
      const closed = once(upstream, "close")
      socket.destroy()
      yield* Effect.promise(() => closed)
    })
  )
})
