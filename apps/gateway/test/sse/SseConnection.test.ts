import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import type { JsonRpcMessage } from "../../../../packages/gateway-server/src/jsonrpc/JsonRpc.ts"
import { connectSse, opensSse } from "../../../../packages/gateway-server/src/sse/SseConnection.ts"
import {
  brokenConnection,
  empty,
  event,
  events,
  FakeBody,
  json,
  pass,
  refusedConnection,
  settle
} from "../relay/FakeServer.ts"
import { makeSseServer } from "./FakeSseServer.ts"

const messageBytes = 10_000

const connect = Effect.fnUntraced(function* (server: ReturnType<typeof makeSseServer>) {
  const received: Array<JsonRpcMessage["json"]> = []
  const connection = yield* connectSse({ fetch: server.fetch, messageBytes }, ({ json }) =>
    Effect.sync(() => void received.push(json))
  )
  return { ...connection, received }
})

const failureOf = (server: ReturnType<typeof makeSseServer>) =>
  Effect.map(Effect.flip(Effect.scoped(connect(server))), ({ message }) => message)

const request = '{"jsonrpc":"2.0","id":9007199254740993,"method":"x"}'

describe("a connection over HTTP+SSE", () => {
  it.effect.each([
    ["/messages?session=1", "http://server.test/messages?session=1"],
    ["messages?session=1", "http://server.test/messages?session=1"],
    ["http://server.test/other", "http://server.test/other"],
    ["HTTP://SERVER.TEST:80/other", "http://server.test/other"],
    ["?session=1", "http://server.test/mcp?session=1"]
  ] as const)("sends messages to the endpoint %s", ([endpoint, url]) =>
    Effect.gen(function* () {
      const server = makeSseServer({ endpoint: () => endpoint })
      const { received, send } = yield* connect(server)
      yield* send(request)
      yield* settle
      const post = server.requests.at(-1)
      assert.deepStrictEqual([post?.method, post?.url?.href, post?.body], ["POST", url, request])
      assert.lengthOf(received, 1)
    })
  )

  it.effect.each([
    "https://server.test/messages",
    "http://other.test/messages",
    "//other.test/messages",
    "http://server.test:8080/messages",
    "http://server.test@other.test/",
    "http://user:password@server.test/messages",
    "file:///etc/passwd",
    "http://["
  ])("sends nothing to the endpoint %s", (endpoint) =>
    Effect.gen(function* () {
      const server = makeSseServer({ endpoint: () => endpoint })
      const problem = yield* failureOf(server)
      assert.include(problem, "endpoint")
      assert.notInclude(problem, "password")
      assert.strictEqual(server.streams[0]?.isCancelled, true)
      assert.lengthOf(server.requests, 1)
    })
  )

  it.effect("fails with the reason when there is no stream", () =>
    Effect.gen(function* () {
      const problem = (answer: Parameters<typeof makeSseServer>[0] & object) =>
        failureOf(makeSseServer(answer))
      assert.include(yield* problem({ get: () => empty(404) }), "404")
      assert.include(yield* problem({ get: () => refusedConnection }), "connection refused")
      assert.include(yield* problem({ get: () => json({}) }), "Streamable HTTP")
      assert.include(yield* problem({ get: () => events(new FakeBody().end()) }), "closed its event stream")
    })
  )

  it.effect("does not wait for an endpoint without end", () =>
    Effect.gen(function* () {
      const server = makeSseServer({ get: () => events(new FakeBody()) })
      const failing = yield* Effect.forkScoped(failureOf(server))
      yield* pass("30 seconds")
      assert.include(yield* Fiber.join(failing), "no endpoint")
    })
  )

  it.effect("delivers the messages of the stream in order, and nothing else", () =>
    Effect.gen(function* () {
      const server = makeSseServer()
      const { received } = yield* connect(server)
      server.streams[0]
        ?.write(": comment\r\n\r\n")
        .write(event({ method: "a" }).replaceAll("\n", "\r\n"))
        .write("event: other\ndata: {}\n\ndata: nonsense\n\nevent: message\n" + event({ method: "b" }))
        .write("event: endpoint\ndata: http://other.test/\n\n")
      yield* settle
      assert.deepStrictEqual(
        received.map(({ method }) => method),
        ["a", "b"]
      )
    })
  )

  it.effect("answers a request that did not reach the server, with its id", () =>
    Effect.gen(function* () {
      const server = makeSseServer({
        post: ({ message }) => (message.method === "x" ? refusedConnection : undefined)
      })
      const { received, send } = yield* connect(server)
      yield* send('{"jsonrpc":"2.0","id":7,"method":"x"}')
      yield* send('{"jsonrpc":"2.0","method":"x"}')
      yield* settle
      assert.lengthOf(received, 1)
      assert.strictEqual(received[0]?.["id"], 7)
      assert.include(JSON.stringify(received[0]), "connection refused. The request was not sent")
    })
  )

  it.effect.each([
    ["404", () => empty(404)],
    ["410", () => empty(410)],
    ["400 that names the session", () => json("No transport found for sessionId", 400)]
  ] as const)("ends when the server answers a message with %s", ([, post]) =>
    Effect.gen(function* () {
      const server = makeSseServer({ post })
      const { ended, received, send } = yield* connect(server)
      yield* send(request)
      assert.strictEqual(yield* ended, "has forgotten the session")
      assert.lengthOf(received, 1)
      yield* send(request)
      assert.lengthOf(server.requests, 2)
    })
  )

  it.effect(
    "messages are sent in their order, and one that is not accepted holds the others up for two seconds",
    () =>
      Effect.gen(function* () {
        const server = makeSseServer({
          post: ({ message }) => (message.method === "slow" ? Effect.never : undefined)
        })
        const { received, send } = yield* connect(server)
        yield* Effect.forkScoped(send('{"jsonrpc":"2.0","id":1,"method":"slow"}'))
        yield* settle
        yield* Effect.forkScoped(send('{"jsonrpc":"2.0","id":2,"method":"x"}'))
        yield* pass("1 second")
        assert.lengthOf(received, 0)
        yield* pass("1 second")
        assert.lengthOf(received, 1)
      })
  )

  it.effect("says how it ended, after everything was delivered", () =>
    Effect.gen(function* () {
      const server = makeSseServer()
      const closing = yield* connect(server)
      server.streams[0]?.write(event({ method: "last" })).end()
      assert.strictEqual(yield* closing.ended, "closed its event stream")
      assert.lengthOf(closing.received, 1)
      const breaking = yield* connect(server)
      server.streams[1]?.break()
      assert.include(yield* breaking.ended, "broke off its event stream")
      const tooLong = yield* connect(server)
      server.streams[2]?.write(event({ method: "x".repeat(messageBytes) }))
      assert.include(yield* tooLong.ended, "limits.message_bytes")
    })
  )

  it.effect("closes the stream when it is stopped, and with its scope", () =>
    Effect.gen(function* () {
      const server = makeSseServer()
      const { ended, stop } = yield* connect(server)
      yield* stop
      yield* ended
      const scope = yield* Scope.make()
      const { ended: endedToo } = yield* connect(server).pipe(Scope.provide(scope))
      yield* Scope.close(scope, Exit.void)
      yield* endedToo
      assert.deepStrictEqual(
        server.streams.map(({ isCancelled }) => isCancelled),
        [true, true]
      )
    })
  )

  it.effect("recognises a server of this transport", () =>
    Effect.gen(function* () {
      const isOlder = (server: ReturnType<typeof makeSseServer>) =>
        opensSse({ fetch: server.fetch, messageBytes })
      assert.isTrue(yield* isOlder(makeSseServer()))
      assert.isFalse(yield* isOlder(makeSseServer({ get: () => empty(405) })))
      assert.isFalse(yield* isOlder(makeSseServer({ get: () => brokenConnection })))
      const waiting = yield* Effect.forkScoped(isOlder(makeSseServer({ get: () => events(new FakeBody()) })))
      yield* pass("5 seconds")
      assert.isFalse(yield* Fiber.join(waiting))
    })
  )
})
