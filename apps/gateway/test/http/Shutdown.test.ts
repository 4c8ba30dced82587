import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { once } from "node:events"
import { Agent, type RequestListener, type ServerResponse } from "node:http"
import { connect } from "node:net"
import { open, send, serveRaw } from "./RawHttp.ts"
import { startGateway } from "./RunningGateway.ts"

/** A gateway in a scope that the test closes. */
const startStoppable = Effect.fnUntraced(function* (listener: RequestListener) {
  const upstream = yield* serveRaw(listener)
  const scope = yield* Scope.make()
  const gateway = yield* startGateway({
    servers: [{ server_name: "raw", config: { url: upstream.url } }]
  }).pipe(Scope.provide(scope))
  yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
  return { url: gateway.mcp("raw"), stop: Scope.close(scope, Exit.void) }
})

/** Completes when connections are not accepted any more. */
const refused = (url: string) =>
  Effect.promise(async () => {
    while (await isAccepting(url)) await new Promise(setImmediate)
  })

const isAccepting = (url: string) =>
  new Promise<boolean>((resolve) => {
    const { hostname, port } = new URL(url)
    const socket = connect({ host: hostname, port: Number(port) })
    socket.on("error", () => resolve(false)).on("connect", () => socket.destroy())
    socket.on("close", (hadError) => resolve(!hadError))
  })

describe("a gateway that is told to stop", () => {
  it.effect("a stopping gateway accepts no connection, lets a running request finish, and hangs up", () =>
    Effect.gen(function* () {
      const arrived = Deferred.makeUnsafe<ServerResponse>()
      let requests = 0
      const { stop, url } = yield* startStoppable((_request, response) => {
        requests += 1
        if (requests > 1) response.end("again")
        Deferred.doneUnsafe(arrived, Effect.succeed(response))
      })
      const { hostname, pathname, port } = new URL(url)
      const request = `GET ${pathname} HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`
      const client = connect({ host: hostname, port: Number(port) }).setEncoding("utf8")
      client.write(request)
      const response = yield* Deferred.await(arrived)
      const stopping = yield* Effect.forkChild(stop)
      yield* refused(url)

      let received = ""
      const over = once(client, "close")
      client
        .on("error", () => undefined)
        .on("data", (part: string) => {
          received += part
          // A client may use its connection again as soon as it has its answer.
          if (part.includes("last")) client.write(request)
        })
      response.writeHead(200, { "content-length": 10 }).write("first ")
      response.end("last")
      yield* Effect.promise(() => over)
      yield* Fiber.join(stopping)
      assert.match(received, /^HTTP\/1.1 200 OK\r\n[^]*\r\n\r\nfirst last$/)
      assert.strictEqual(requests, 1)
    })
  )

  it.effect("a stopping gateway cuts off running requests after ten seconds", () =>
    Effect.gen(function* () {
      const { stop, url } = yield* startStoppable((_request, response) =>
        response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders()
      )
      const answer = yield* Effect.promise(() => open(url))
      const cut = once(answer, "error")
      const stopping = yield* Effect.forkChild(stop)
      yield* refused(url)
      assert.isFalse(answer.closed)
      yield* TestClock.adjust("10 seconds")
      yield* Effect.promise(() => cut)
      yield* Fiber.join(stopping)
    })
  )

  it.effect("a stopping gateway does not wait for idle clients", () =>
    Effect.gen(function* () {
      const { stop, url } = yield* startStoppable((_request, response) => response.end("fine"))
      const agent = new Agent({ keepAlive: true })
      yield* send(url, { agent })
      yield* stop
    })
  )

  it.effect("a stopping gateway waits at most ten seconds for a client that sends no request", () =>
    Effect.gen(function* () {
      const { stop, url } = yield* startStoppable((_request, response) => response.end("fine"))
      const { hostname, port } = new URL(url)
      const socket = connect({ host: hostname, port: Number(port) })
      yield* Effect.promise(() => once(socket, "connect"))
      // An answer on another connection: the gateway has seen the silent one by then.
      yield* send(url)
      const stopping = yield* Effect.forkChild(stop)
      yield* refused(url)
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(stopping)
      socket.destroy()
    })
  )
})
