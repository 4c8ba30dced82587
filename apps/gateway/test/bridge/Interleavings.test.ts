import { assert, describe, it } from "@effect/vitest"
import { defaultLimits } from "@secure-mcp/transport-injection"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/testing/TestClock"
import * as fc from "fast-check"
import type { IncomingMessage, ServerResponse } from "node:http"
import * as HttpBridge from "../../../../packages/gateway-server/src/bridge/HttpBridge.ts"
import type { JsonObject } from "../../../../packages/gateway-server/src/jsonrpc/JsonRpc.ts"
import { answer } from "./bridgeServer.ts"
import { memoryHttp, settle, type Exchange } from "./memoryHttp.ts"
import { answerByDefault, memoryServer, type Peer } from "./memoryServer.ts"

/** What the server does with a request. */
type Reaction = "answer" | "refuse" | "keep" | "tell" | "repeat" | "invent" | "end"

type Step =
  | { readonly kind: "request"; readonly reactions: ReadonlyArray<Reaction> }
  | { readonly kind: "answer" | "tell" | "leave" | "cancel" | "listen" | "stopListening" | "end" }
  | { readonly kind: "advance"; readonly seconds: number }

const reactions = fc.constantFrom<Reaction>(
  "answer",
  "answer",
  "refuse",
  "keep",
  "keep",
  "tell",
  "repeat",
  "invent",
  "end"
)
const steps = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc
        .array(reactions, { minLength: 1, maxLength: 3 })
        .map((reactions): Step => ({ kind: "request", reactions }))
    },
    {
      weight: 6,
      arbitrary: fc
        .constantFrom("answer", "answer", "tell", "tell", "leave", "cancel", "listen", "stopListening", "end")
        .map((kind): Step => ({ kind }))
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom(1, 31, 61, 121).map((seconds): Step => ({ kind: "advance", seconds }))
    }
  ),
  { minLength: 5, maxLength: 30, size: "max" }
)

/** A request of the client and how it may end. */
interface Asked {
  readonly id: number
  readonly exchange: Exchange
  /** The client has left or cancelled it: then no answer may come, or one. */
  isGivenUp: boolean
}

/** A server that does what the client's requests say, and remembers what it has kept. */
const makeServer = (tokenLifetime: number) => {
  const kept: Array<{ readonly id: unknown; readonly params: unknown; readonly peer: Peer }> = []
  const sent: Array<unknown> = []
  let told = 0
  const tell = (peer: Peer) => {
    told += 1
    peer.send({ method: "notifications/message", params: { told } })
  }
  const react = ({ id, params, text }: JsonObject & { readonly text: string }, peer: Peer) => {
    const answer = () => peer.send({ id, result: params })
    switch (/"reaction":"([a-z]+)"/.exec(text)?.[1]) {
      case "answer":
        return answer()
      case "refuse":
        return peer.send({ id, error: { code: -32000, message: "refused" } })
      case "keep":
        return kept.push({ id, params, peer })
      case "tell":
        tell(peer)
        return answer()
      case "repeat":
        answer()
        return answer()
      case "invent":
        peer.send({ id: "invented", result: {} })
        return answer()
      case "end":
        return peer.end("exited with code 1")
    }
  }
  const memory = memoryServer({
    tokenLifetime,
    onMessage: (message, peer) => {
      if (message["method"] !== "tools/call") return answerByDefault(message, peer)
      sent.push(message["params"])
      react(message, peer)
    }
  })
  return { ...memory, kept, sent, tell, told: () => told }
}

const call = (id: unknown, n: number, reaction: Reaction, meta: object = {}) => ({
  jsonrpc: "2.0",
  id,
  method: "tools/call",
  params: { n, reaction, ...meta }
})
const initialize = { jsonrpc: "2.0", id: 0, method: "initialize", params: {} }

/** The number of a call, which its answer repeats. */
const numbers = (values: ReadonlyArray<unknown>) =>
  values.map((value) => Number(/"n":(\d+)/.exec(JSON.stringify(value))?.[1]))

const bridgeTo = Effect.fnUntraced(function* (server: ReturnType<typeof makeServer>) {
  const bridge = yield* HttpBridge.make({
    serverName: "memory",
    connect: () => server.connect,
    limits: defaultLimits,
    startTimeout: Duration.seconds(60)
  })
  return yield* memoryHttp((request: IncomingMessage, response: ServerResponse, body: Buffer) =>
    answer(bridge, request, response, body, undefined)
  )
})

/** Plays the steps in sessions: in a new one when one has ended. */
const playSession = Effect.fnUntraced(function* (script: ReadonlyArray<Step>) {
  const server = makeServer(60_000)
  const http = yield* bridgeTo(server)
  const asked: Array<Asked> = []
  const streams: Array<Exchange> = []
  let headers: Record<string, string> = {}
  let lastId = 0

  const begin = Effect.gen(function* () {
    const exchange = http("POST", {}, initialize)
    yield* settle
    assert.strictEqual(exchange.status(), 200, "a session could not be begun")
    headers = { "mcp-session-id": exchange.sessionId() ?? "" }
  })
  const latest = () => asked.findLast(({ exchange, isGivenUp }) => !exchange.isOver() && !isGivenUp)

  const perform = Effect.fnUntraced(function* (step: Step) {
    switch (step.kind) {
      case "request": {
        const calls = step.reactions.map((reaction) => call(++lastId, lastId, reaction))
        const exchange = http("POST", headers, calls.length === 1 ? calls[0] : calls)
        for (const { id } of calls) asked.push({ id: Number(id), exchange, isGivenUp: false })
        return
      }
      case "answer": {
        const next = server.kept.shift()
        return next?.peer.send({ id: next.id, result: next.params })
      }
      case "tell": {
        const peer = server.peers.at(-1)
        return peer === undefined ? undefined : server.tell(peer)
      }
      case "leave": {
        const left = latest()?.exchange
        for (const request of asked) if (request.exchange === left) request.isGivenUp = true
        return left?.close()
      }
      case "cancel": {
        const request = latest()
        if (request === undefined) return
        request.isGivenUp = true
        http("POST", headers, {
          jsonrpc: "2.0",
          method: "notifications/cancelled",
          params: { requestId: request.id }
        })
        return
      }
      case "listen":
        return streams.push(http("GET", headers))
      case "stopListening":
        return streams.findLast((stream) => !stream.isOver())?.close()
      case "end":
        return server.peers.at(-1)?.end("was killed by SIGKILL")
      case "advance":
        return yield* TestClock.adjust(Duration.seconds(step.seconds))
    }
  })
  const isOver = Effect.gen(function* () {
    const probe = http("GET", headers)
    yield* settle
    const isGone = probe.status() === 404
    probe.close()
    return isGone
  })

  yield* begin
  for (const step of script) {
    yield* perform(step)
    yield* settle
    if ((step.kind === "end" || step.kind === "request") && (yield* isOver)) yield* begin
  }
  for (let round = 0; round < 3; round += 1) {
    yield* TestClock.adjust("31 seconds")
    yield* settle
    for (const peer of server.peers) peer.end("exited with code 0")
    yield* settle
  }

  for (const { exchange, id, isGivenUp } of asked) {
    const answers = exchange.messages().filter((message) => message.id === id || isForAll(exchange, message))
    assert.isTrue(exchange.isOver(), `request ${id} hangs`)
    if (isGivenUp) assert.isAtMost(answers.length, 1, `request ${id}`)
    else assert.lengthOf(answers, 1, `request ${id}`)
    for (const { result } of answers)
      if (result !== undefined) assert.strictEqual(result["n"], id, "the answer to another request")
  }
  const all = [...new Set([...asked.map(({ exchange }) => exchange), ...streams])].flatMap((exchange) =>
    exchange.messages()
  )
  const told = all.flatMap(({ params }) => (params?.["told"] === undefined ? [] : [params["told"]]))
  assert.strictEqual(new Set(told).size, told.length, "a notification was delivered twice")
  assert.isFalse(
    all.some(({ id }) => id === "invented"),
    "an invented answer was delivered"
  )
  const sent = numbers(server.sent)
  assert.strictEqual(new Set(sent).size, sent.length, "a request was sent twice")
  return { answers: asked.length, told: told.length, starts: server.peers.length }
})

/** The refusal of a whole POST has no id when it was a batch. */
const isForAll = (exchange: Exchange, { error, id }: { readonly error?: unknown; readonly id?: unknown }) =>
  error !== undefined && id === null && (exchange.status() ?? 0) >= 400

/** Plays the steps in the stateless revision, where all requests have the same id. */
const playStateless = Effect.fnUntraced(function* (script: ReadonlyArray<Step>) {
  const server = makeServer(60_000)
  const http = yield* bridgeTo(server)
  const asked: Array<Asked> = []
  const ask = (reaction: Reaction) => {
    const n = asked.length
    const version = "2026-07-28"
    const _meta = {
      "io.modelcontextprotocol/protocolVersion": version,
      "io.modelcontextprotocol/logLevel": "debug"
    }
    const exchange = http(
      "POST",
      { "mcp-protocol-version": version, "mcp-method": "tools/call", "mcp-name": "x" },
      call("same", n, reaction, { name: "x", _meta })
    )
    asked.push({ id: n, exchange, isGivenUp: false })
  }
  for (const step of script) {
    if (step.kind === "request") step.reactions.forEach(ask)
    if (step.kind === "answer") {
      const next = server.kept.shift()
      next?.peer.send({ id: next.id, result: next.params })
    }
    if (step.kind === "tell") server.peers.forEach(server.tell)
    if (step.kind === "end") server.peers.at(-1)?.end("exited with code 1")
    if (step.kind === "advance") yield* TestClock.adjust(Duration.seconds(step.seconds))
    if (step.kind === "leave") {
      const left = asked.findLast(({ exchange }) => !exchange.isOver())
      if (left !== undefined) left.isGivenUp = true
      left?.exchange.close()
    }
    yield* settle
  }
  for (const peer of server.peers) peer.end("exited with code 0")
  yield* settle
  for (const { exchange, id, isGivenUp } of asked) {
    const answers = exchange.messages().filter((message) => message.id === "same")
    assert.isTrue(exchange.isOver(), `request ${id} hangs`)
    if (isGivenUp) assert.isAtMost(answers.length, 1, `request ${id}`)
    else assert.lengthOf(answers, 1, `request ${id}`)
    for (const { result } of answers)
      if (result !== undefined) assert.strictEqual(result["n"], id, "the answer to another request")
  }
  return { answers: asked.length, told: server.told(), starts: server.peers.length }
})

describe("any order of events in the bridge", () => {
  for (const [name, play] of [
    ["in sessions", playSession],
    ["in the stateless revision", playStateless]
  ] as const)
    it(`each request gets one answer or one error, and nothing arrives twice, ${name}`, async () => {
      const happened = { answers: 0, told: 0, starts: 0 }
      const property = fc.asyncProperty(steps, async (script) => {
        const run = play(script).pipe(Effect.scoped, Effect.provide([TestClock.layer(), Logger.layer([])]))
        const { answers, starts, told } = await Effect.runPromise(run)
        happened.answers += answers
        happened.told += told
        happened.starts += starts
      })
      await fc.assert(property, { numRuns: 60 })
      for (const [what, count] of Object.entries(happened))
        assert.isAbove(count, 100, `too little happened to prove anything: ${what}`)
    })
})
