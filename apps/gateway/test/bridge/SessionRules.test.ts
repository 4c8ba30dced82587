import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import type { Connect } from "../../../../packages/gateway-server/src/jsonrpc/MessageConnection.ts"
import { serveConnections, until, type BridgeOptions } from "./bridgeServer.ts"
import { call, openSession, statelessCall } from "./httpCall.ts"
import { settle } from "./memoryHttp.ts"
import { answerByDefault, memoryServer, type Peer } from "./memoryServer.ts"

const request = (id: unknown, method: string, params: object = {}) => ({ jsonrpc: "2.0", id, method, params })
const methodsOf = (peer: Peer | undefined) => peer?.received.map(({ method }) => method)

/** A session with a server that answers only what a test lets it answer. */
const quietSession = Effect.fnUntraced(function* (options: BridgeOptions = {}) {
  const { connect, peers } = memoryServer()
  const server = yield* serveConnections(connect, options)
  const { headers } = yield* openSession(server.url)
  const [peer] = peers
  assert.isDefined(peer)
  /** Sends a request, and waits until the server has it. */
  const ask = Effect.fnUntraced(function* (body: object | string) {
    const before = peer.received.length
    const asking = yield* Effect.forkChild(call(server.url, { headers, body }))
    yield* until(() => peer.received.length > before)
    return asking
  })
  return { server, headers, peer, peers, ask }
})

describe("answers of a server in a session", () => {
  it.effect("an answer that nobody asked for is logged and not passed on", () =>
    Effect.gen(function* () {
      const { ask, peer } = yield* quietSession()
      const asking = yield* ask(request(1, "tools/call"))
      const strange = [
        '{"jsonrpc":"2.0","id":"nobody","result":{"a":1}}',
        '{"jsonrpc":"2.0","id":0,"result":{}}',
        '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}',
        '{"jsonrpc":"2.0","error":{"code":-32700,"message":"Parse error"}}'
      ]
      for (const text of strange) peer.send(text)
      peer.send({ id: 1, result: {} })
      peer.send({ id: 1, result: { again: true } })
      const answers = yield* (yield* Fiber.join(asking)).rest
      assert.deepStrictEqual(
        answers.map(({ id }) => id),
        [1]
      )
      yield* until(() => peer.unexpected.length === 5)
      assert.deepStrictEqual(peer.unexpected.slice(0, 4), strange)
    })
  )

  it.effect("an answer that nobody asked for is not passed on in the stateless revision either", () =>
    Effect.gen(function* () {
      const { connect, peers } = memoryServer({
        onMessage: ({ id }, peer) => {
          peer.send({ id: "nobody", result: {} })
          peer.send({ id: 99, result: {} })
          peer.send({ id, result: { right: true } })
          peer.send({ id, result: { again: true } })
        }
      })
      const server = yield* serveConnections(connect)
      const answers = yield* (yield* statelessCall(server.url, 5, "tools/list")).rest
      assert.deepStrictEqual(
        answers.map(({ id, result }) => [id, result]),
        [[5, { right: true }]]
      )
      yield* until(() => peers[0]?.unexpected.length === 3)
    })
  )

  it.effect("an id that the server reads as a double comes back as it was sent, progress tokens too", () =>
    Effect.gen(function* () {
      const { ask, peer } = yield* quietSession()
      const asking = yield* ask(
        '{"jsonrpc":"2.0","id":9007199254740993,"method":"a","params":{"_meta":{"progressToken":1.0}}}'
      )
      const other = yield* ask('{"jsonrpc":"2.0","id":1.50,"method":"a"}')
      peer.send(
        '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1e400}}'
      )
      peer.send('{"jsonrpc":"2.0","id":9007199254740992,"result":{"n":12345678901234567890}}')
      peer.send('{"jsonrpc":"2.0","id":1.5,"result":{}}')
      const text = yield* (yield* Fiber.join(asking)).text
      assert.include(text, '"progressToken":1.0,"progress":1e400')
      assert.include(text, '"id":9007199254740993,"result":{"n":12345678901234567890}')
      assert.strictEqual(yield* (yield* Fiber.join(other)).text, '{"jsonrpc":"2.0","id":1.50,"result":{}}')
    })
  )

  it.effect("every digit of a stateless request and its answer is passed on as it was sent", () =>
    Effect.gen(function* () {
      const numbers = '{"id":725653563933458433,"money":0.30000000000000000001,"float":1.0,"huge":1e400}'
      const { connect, peers } = memoryServer({
        onMessage: ({ id }, peer) => peer.send(`{"jsonrpc":"2.0","id":${id},"result":{"x": ${numbers}}}`)
      })
      const server = yield* serveConnections(connect)
      const body = (id: string) =>
        `{"jsonrpc":"2.0", "id":${id},"method":"a","params":{"x": ${numbers},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`
      const headers = { "mcp-protocol-version": "2026-07-28", "mcp-method": "a" }
      const answered = yield* call(server.url, { headers, body: body("9007199254740993") })
      assert.strictEqual(
        yield* answered.text,
        `{"jsonrpc":"2.0","id":9007199254740993,"result":{"x": ${numbers}}}`
      )
      assert.strictEqual(peers[0]?.received[0]?.text, body("1"))
    })
  )

  it.effect("the answers to a batch keep their texts", () =>
    Effect.gen(function* () {
      const { ask, peer } = yield* quietSession()
      const asking = yield* ask(
        '[{"jsonrpc":"2.0","id":1.0,"method":"a"},{"jsonrpc":"2.0","id":"b","method":"b"}]'
      )
      const texts = [
        '{"id":1.0,"jsonrpc":"2.0","result":{"x":1.10}}',
        '{"jsonrpc":"2.0","id":"b","result":{"y":1e400}}'
      ]
      for (const text of texts) peer.send(text)
      assert.strictEqual(yield* (yield* Fiber.join(asking)).text, `[${texts.join(",")}]`)
    })
  )
})

describe("cancellation in a session", () => {
  it.effect("a cancelled request is passed on, and its response ends without an answer", () =>
    Effect.gen(function* () {
      const { ask, headers, peer, server } = yield* quietSession()
      const asking = yield* ask(request("slow", "tools/call"))
      const cancellation = {
        jsonrpc: "2.0",
        method: "notifications/cancelled",
        params: { requestId: "slow", reason: "changed my mind" }
      }
      const notified = yield* call(server.url, { headers, body: cancellation })
      assert.strictEqual(notified.status, 202)
      const ended = yield* Fiber.join(asking)
      assert.deepStrictEqual([ended.status, ended.isEventStream, yield* ended.rest], [200, true, []])
      assert.strictEqual(peer.received.at(-1)?.text, JSON.stringify(cancellation))
      // The answer may have crossed the cancellation: that is nothing unexpected.
      peer.send({ id: "slow", result: {} })
      const next = yield* ask(request(2, "tools/list"))
      peer.send({ id: 2, result: {} })
      assert.strictEqual((yield* (yield* Fiber.join(next)).rest).length, 1)
      assert.deepStrictEqual(peer.unexpected, [])
    })
  )

  it.effect("the other requests of a batch are answered when one is cancelled", () =>
    Effect.gen(function* () {
      const { ask, headers, peer, server } = yield* quietSession()
      const asking = yield* ask([request(1, "a"), request(2, "b")])
      peer.send({ id: 1, result: {} })
      yield* call(server.url, {
        headers,
        body: { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 2 } }
      })
      const answers = yield* (yield* Fiber.join(asking)).rest
      assert.deepStrictEqual(
        answers.map(({ id }) => id),
        [1]
      )
    })
  )

  it.effect(
    "a request is cancelled at the server when its client closes the connection, `initialize` never",
    () =>
      Effect.gen(function* () {
        const { headers, peer, server } = yield* quietSession()
        const body = '{"jsonrpc":"2.0","id":7.0,"method":"tools/call"}'
        const asking = yield* Effect.forkChild(Effect.scoped(call(server.url, { headers, body })))
        yield* until(() => peer.received.length === 2)
        yield* Fiber.interrupt(asking)
        yield* until(() => peer.received.at(-1)?.["method"] === "notifications/cancelled")
        assert.include(peer.received.at(-1)?.text, '"requestId":7.0')
        const silent = memoryServer({ onMessage: () => {} })
        const other = yield* serveConnections(silent.connect)
        const initializing = yield* Effect.forkChild(Effect.scoped(openSession(other.url)))
        yield* until(() => silent.peers[0]?.received.length === 1)
        yield* Fiber.interrupt(initializing)
        yield* until(() => silent.peers[0]?.isStopped() === true)
        assert.deepStrictEqual(methodsOf(silent.peers[0]), ["initialize"])
      })
  )
})

describe("limits of sessions", () => {
  it.effect("at the limit a new session is refused with the key, and there is room when one ends", () =>
    Effect.gen(function* () {
      const { connect } = memoryServer()
      const server = yield* serveConnections(connect, { limits: { sessions: 2 } })
      const one = yield* openSession(server.url)
      yield* openSession(server.url)
      const body = request(5, "initialize")
      const refused = yield* call(server.url, { body })
      assert.strictEqual(refused.status, 503)
      assert.strictEqual(refused.headers.get("retry-after"), "30")
      const answer = yield* refused.next
      assert.deepStrictEqual([answer?.id, answer?.error?.code], [5, -31002])
      assert.include(answer?.error?.message, "2 sessions")
      assert.include(answer?.error?.message, "`limits.sessions`")
      yield* call(server.url, { method: "DELETE", headers: one.headers })
      assert.strictEqual((yield* call(server.url, { body })).status, 200)
    })
  )

  it.effect("a session ends after the configured time, but not while a call is under way", () =>
    Effect.gen(function* () {
      const { ask, headers, peer, server } = yield* quietSession({ limits: { sessionIdleSeconds: 20 } })
      yield* server.settled
      const asking = yield* ask(request(1, "tools/call"))
      yield* TestClock.adjust("1 minute")
      peer.send({ id: 1, result: {} })
      assert.strictEqual((yield* (yield* Fiber.join(asking)).rest).length, 1)
      yield* server.settled
      yield* TestClock.adjust("19 seconds")
      assert.isFalse(peer.isStopped())
      yield* TestClock.adjust("1 second")
      assert.isTrue(peer.isStopped())
      assert.strictEqual((yield* call(server.url, { headers, body: request(2, "ping") })).status, 404)
    })
  )

  it.effect(
    "messages that wait for a stream are bounded by number and bytes, and a request among them is refused",
    () =>
      Effect.gen(function* () {
        for (const limits of [{ queuedMessages: 2 }, { unreadBytes: 2048 }]) {
          const { headers, peer, server } = yield* quietSession({ limits })
          yield* server.settled
          const data = "x".repeat(1024)
          for (const number of [1, 2, 3, 4])
            peer.send({ method: "notifications/message", params: { number, data } })
          peer.send({ id: "q", method: "elicitation/create" })
          yield* until(() => peer.received.some(({ id }) => id === "q"))
          assert.include(peer.received.at(-1)?.text, "opened no stream")
          const dropped = server.logs.filter((line) => line.includes("limits.queued_messages"))
          assert.lengthOf(dropped, 1)
          const stream = yield* call(server.url, { method: "GET", headers })
          assert.strictEqual((yield* stream.next)?.params?.["number"], 1)
          assert.strictEqual((yield* stream.next)?.params?.["number"], 2)
          peer.send({ method: "notifications/message", params: { number: 5 } })
          assert.strictEqual((yield* stream.next)?.params?.["number"], 5)
        }
      })
  )
})

describe("a server that does not start, or ends", () => {
  it.effect(
    "a server that does not answer `initialize` in time is stopped, and the error names the key",
    () =>
      Effect.gen(function* () {
        const { connect, peers } = memoryServer({ onMessage: () => {} })
        const server = yield* serveConnections(connect, { startTimeout: 10 })
        const initializing = yield* Effect.forkChild(openSession(server.url))
        yield* until(() => peers[0]?.received.length === 1)
        yield* TestClock.adjust("9 seconds")
        assert.isFalse(peers[0]?.isStopped())
        yield* TestClock.adjust("1 second")
        const { answer, headers, status } = yield* Fiber.join(initializing)
        assert.deepStrictEqual([status, answer?.error?.code], [504, -31002])
        assert.include(
          answer?.error?.message,
          '"fixture" gave no answer within 10 seconds (`start_timeout_seconds`)'
        )
        assert.isTrue(peers[0]?.isStopped())
        assert.strictEqual((yield* call(server.url, { headers, body: request(1, "ping") })).status, 404)
      })
  )

  it.effect("once it has answered, a server may take its time", () =>
    Effect.gen(function* () {
      const { ask, peer } = yield* quietSession({ startTimeout: 10 })
      const asking = yield* ask(request(1, "tools/call"))
      yield* TestClock.adjust("1 hour")
      peer.send({ id: 1, result: {} })
      assert.strictEqual((yield* (yield* Fiber.join(asking)).rest).at(-1)?.id, 1)
    })
  )

  it.effect("each request under way gets one error that says how the server ended, and its streams end", () =>
    Effect.gen(function* () {
      const { ask, headers, peer, server } = yield* quietSession()
      const stream = yield* call(server.url, { method: "GET", headers })
      const one = yield* ask(request(1, "a"))
      const batch = yield* ask([request(2, "b"), request(3, "c")])
      peer.end("was killed by SIGKILL")
      const answers = [...(yield* (yield* Fiber.join(one)).rest), ...(yield* (yield* Fiber.join(batch)).rest)]
      assert.deepStrictEqual(
        answers.map(({ error, id }) => [id, error?.message]),
        [1, 2, 3].map((id) => [id, 'The MCP server "fixture" was killed by SIGKILL'])
      )
      assert.deepStrictEqual(yield* stream.rest, [])
      assert.strictEqual((yield* call(server.url, { headers, body: request(4, "ping") })).status, 404)
      assert.strictEqual((yield* openSession(server.url)).status, 200)
    })
  )
})

describe("a server that crashes at its start", () => {
  const crashing = () => {
    const state = { crashes: true }
    const server = memoryServer({
      onMessage: (message, peer) =>
        state.crashes ? peer.end("exited with code 7: no database") : answerByDefault(message, peer)
    })
    return { ...server, state }
  }

  it.effect(
    "from the third crash in a row on it is not started for a while, and the error says why and how long",
    () =>
      Effect.gen(function* () {
        const { connect, peers } = crashing()
        const server = yield* serveConnections(connect)
        const attempt = Effect.map(openSession(server.url), ({ answer, status }) => ({
          status,
          message: answer?.error?.message ?? ""
        }))
        for (let crash = 1; crash <= 3; crash += 1)
          assert.deepStrictEqual(yield* attempt, {
            status: 502,
            message: 'The MCP server "fixture" exited with code 7: no database'
          })
        for (const seconds of [1, 2, 4, 8, 16, 32, 60, 60]) {
          const { message, status } = yield* attempt
          assert.strictEqual(status, 503)
          assert.include(message, seconds === 1 ? "in 1 second." : `in ${seconds} seconds.`)
          assert.include(message, "exited with code 7: no database")
          yield* TestClock.adjust(`${seconds} seconds`)
          assert.strictEqual((yield* attempt).status, 502)
        }
        assert.lengthOf(peers, 11)
      })
  )

  it.effect("a start that succeeds ends that, and a crash after it counts anew", () =>
    Effect.gen(function* () {
      const { connect, peers, state } = crashing()
      const server = yield* serveConnections(connect)
      yield* Effect.repeat(openSession(server.url), { times: 2 })
      assert.strictEqual((yield* openSession(server.url)).status, 503)
      yield* TestClock.adjust("1 second")
      state.crashes = false
      assert.strictEqual((yield* openSession(server.url)).status, 200)
      for (let crash = 1; crash <= 5; crash += 1) {
        assert.strictEqual((yield* openSession(server.url)).status, 200)
        peers.at(-1)?.end("exited with code 0")
      }
    })
  )

  it.effect("other owners are not held up", () =>
    Effect.gen(function* () {
      const { connect, state } = crashing()
      const server = yield* serveConnections(connect)
      yield* Effect.repeat(openSession(server.url, { "x-owner": "ada" }), { times: 2 })
      state.crashes = false
      assert.strictEqual((yield* openSession(server.url, { "x-owner": "ada" })).status, 503)
      assert.strictEqual((yield* openSession(server.url, { "x-owner": "bob" })).status, 200)
    })
  )
})

describe("a server that writes at once", () => {
  it.effect("what it sends before its connection is open is delivered or logged, and does no harm", () =>
    Effect.gen(function* () {
      const { connect, peers } = memoryServer({
        onMessage: ({ id }, peer) => peer.send({ id, result: {} })
      })
      const eager: Connect<never> = (deliver) =>
        Effect.tap(connect(deliver), () => {
          peers.at(-1)?.send({ id: "nobody", result: {} })
          peers.at(-1)?.send({ id: "q", method: "roots/list" })
          peers.at(-1)?.send({ method: "notifications/message", params: { number: 1 } })
          return settle
        })
      const server = yield* serveConnections(eager)
      assert.strictEqual((yield* statelessCall(server.url, 1, "tools/list")).status, 200)
      const { headers } = yield* openSession(server.url)
      const stream = yield* call(server.url, { method: "GET", headers })
      assert.deepStrictEqual([(yield* stream.next)?.id, (yield* stream.next)?.params], ["q", { number: 1 }])
    })
  )
})

describe("a server that reads nothing", () => {
  it.effect("its messages are still delivered, although it does not take the replies to them", () =>
    Effect.gen(function* () {
      const { connect, peers } = memoryServer()
      const stuck: Connect<never> = (deliver) =>
        Effect.map(connect(deliver), (connection) => ({
          ...connection,
          send: (text) => (text.includes('"error"') ? Effect.never : connection.send(text))
        }))
      const server = yield* serveConnections(stuck, { limits: { queuedMessages: 0 } })
      const { headers } = yield* openSession(server.url)
      yield* server.settled
      for (let id = 0; id < 300; id += 1) peers[0]?.send({ id: `q${id}`, method: "roots/list" })
      const asking = yield* Effect.forkChild(call(server.url, { headers, body: request(1, "a") }))
      yield* until(() => peers[0]?.received.some(({ id }) => id === 1) === true)
      peers[0]?.send({ id: 1, result: { last: true } })
      assert.deepInclude((yield* (yield* Fiber.join(asking)).rest).at(-1)?.result, { last: true })
      const shared = statelessCall(server.url, 2, "tools/list")
      const sharing = yield* Effect.forkChild(shared)
      yield* until(() => peers[1]?.received.length === 1)
      for (let id = 0; id < 300; id += 1) peers[1]?.send({ id: `q${id}`, method: "roots/list" })
      peers[1]?.send({ id: 1, result: { last: true } })
      assert.deepInclude((yield* (yield* Fiber.join(sharing)).rest).at(-1)?.result, { last: true })
    })
  )
})
