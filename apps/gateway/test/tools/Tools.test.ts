import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib"
import { type RawRequest, rpc, send, serveRaw } from "../http/RawHttp.ts"
import { startGateway } from "../http/RunningGateway.ts"

const rules = { allow: ["get_*", "echo"], deny: ["get_secret"] }

const listed = (...names: ReadonlyArray<string>) => ({
  jsonrpc: "2.0",
  id: 1,
  result: { tools: names.map((name) => ({ name, inputSchema: { type: "object" } })) }
})

const all = ["get_a", "get_secret", "set_a", "echo"]
const visible = listed("get_a", "echo")

type Body = readonly [headers: Readonly<Record<string, string>>, body: Buffer | string]

const json = { "content-type": "application/json" }
const events = { "content-type": "text/event-stream" }

/** A server that answers with these bytes, and the gateway before it. */
const start = (answer: Body = [json, JSON.stringify(listed(...all))], tools: object = rules) =>
  Effect.gen(function* () {
    const received: Array<string> = []
    const encodings: Array<string | undefined> = []
    const { url } = yield* serveRaw((request, response) => {
      const chunks: Array<Buffer> = []
      encodings.push(request.headers["accept-encoding"]?.toString())
      request
        .on("data", (chunk: Buffer) => chunks.push(chunk))
        .on("end", () => {
          received.push(Buffer.concat(chunks).toString())
          const [headers, body] = answer
          response.writeHead(200, { ...headers, "content-length": Buffer.byteLength(body) }).end(body)
        })
    })
    const gateway = yield* startGateway({ servers: [{ server_name: "a", config: { url }, tools }] })
    const ask = (message: object | string, headers: Readonly<Record<string, string>> = {}) => {
      const request: RawRequest = typeof message === "string" ? { ...rpc({}), body: message } : rpc(message)
      return send(gateway.mcp("a"), { ...request, headers: { ...request.headers, ...headers } })
    }
    return { ...gateway, ask, received, encodings }
  })

const list = { jsonrpc: "2.0", id: 1, method: "tools/list" }
const call = (name: unknown, id: unknown = 1) => ({
  jsonrpc: "2.0",
  id,
  method: "tools/call",
  params: { name }
})

describe("tools that are not allowed", () => {
  const whole = JSON.stringify(listed(...all))
  const stream = `event: message\nid: 1\ndata: ${whole}\n\n: ping\n\n`
  const answers: ReadonlyArray<readonly [name: string, body: Body]> = [
    ["JSON", [json, whole]],
    ["JSON in gzip", [{ ...json, "content-encoding": "gzip" }, gzipSync(whole)]],
    ["JSON in deflate", [{ ...json, "content-encoding": "deflate" }, deflateSync(whole)]],
    ["JSON in Brotli", [{ ...json, "content-encoding": "br" }, brotliCompressSync(whole)]],
    ["JSON of another type", [{ "content-type": "text/plain" }, whole]],
    ["an event stream", [events, stream]],
    ["an event stream in gzip", [{ ...events, "content-encoding": "gzip" }, gzipSync(stream)]]
  ]
  it.effect.each(answers)("tools that are not allowed are not in a list that comes as %s", ([, body]) =>
    Effect.gen(function* () {
      const { ask, encodings } = yield* start(body)
      const answer = yield* ask(list)
      assert.strictEqual(answer.status, 200)
      const text = answer.body.toString()
      const found = text.startsWith("{") ? text : (/^data: (.*)$/m.exec(text)?.[1] ?? "")
      assert.deepStrictEqual(JSON.parse(found), visible)
      assert.isUndefined(answer.headers["content-encoding"])
      assert.deepStrictEqual(encodings, ["identity"])
    })
  )

  it.effect("a list that nobody can read is not passed on", () =>
    Effect.gen(function* () {
      const { ask } = yield* start([{ ...json, "content-encoding": "snappy" }, whole])
      const answer = yield* ask(list)
      assert.strictEqual(answer.status, 502)
      assert.include(answer.body.toString(), "content coding")
      assert.notInclude(answer.body.toString(), "get_a")
    })
  )

  it.effect.each([
    [call("set_a"), "set_a"],
    [call("get_secret"), "get_secret"],
    [call("GET_A"), "GET_A"],
    [call("unknown", "an id"), "unknown"],
    [call(7), "names no tool"],
    [call(["get_a"]), "names no tool"],
    [{ ...call("get_a"), params: {} }, "names no tool"]
  ] as const)("the call %j is refused, with its id, and named", ([message, named]) =>
    Effect.gen(function* () {
      const { ask, received, url } = yield* start()
      const { body, status } = yield* ask(message)
      assert.strictEqual(status, 200)
      const answer = JSON.parse(body.toString()) as { id: unknown; error: { message: string; code: number } }
      assert.strictEqual(answer.id, message.id)
      assert.strictEqual(answer.error.code, -32_602)
      assert.include(answer.error.message, named)
      assert.lengthOf(received, 0)
      const metrics = yield* send(`${url}/metrics`)
      assert.include(metrics.body.toString(), 'mcp_gateway_tool_calls_refused_total{server="a"} 1')
    })
  )

  it.effect("a call that is allowed goes on as it was written", () =>
    Effect.gen(function* () {
      const { ask, received } = yield* start([json, '{"jsonrpc":"2.0","id":9007199254740993,"result":{}}'])
      const text = '{"jsonrpc":"2.0", "id":9007199254740993, "method":"tools/call","params":{"name":"get_a"}}'
      const { body } = yield* ask(text)
      assert.deepStrictEqual(received, [text])
      assert.strictEqual(body.toString(), '{"jsonrpc":"2.0","id":9007199254740993,"result":{}}')
    })
  )

  it.effect("the last of two equal keys of a tool call counts", () =>
    Effect.gen(function* () {
      const { ask, received } = yield* start()
      const two = (first: string, last: string) =>
        `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"${first}","name":"${last}"}}`
      assert.include((yield* ask(two("get_a", "set_a"))).body.toString(), "set_a")
      assert.lengthOf(received, 0)
      yield* ask(two("set_a", "get_a"))
      assert.lengthOf(received, 1)
    })
  )

  it.effect("a batch with such a call is refused whole, and one without goes on", () =>
    Effect.gen(function* () {
      const { ask, received } = yield* start()
      const { body } = yield* ask([call("get_a", 1), call("set_a", "two"), list] as unknown as object)
      const answers = JSON.parse(body.toString()) as ReadonlyArray<{
        id: unknown
        error: { message: string }
      }>
      assert.deepStrictEqual(
        answers.map(({ id }) => id),
        [1, "two", 1]
      )
      assert.isTrue(answers.every(({ error }) => error.message.includes('"set_a"')))
      assert.lengthOf(received, 0)
      yield* ask([call("get_a", 1), list] as unknown as object)
      assert.lengthOf(received, 1)
    })
  )

  it.effect.each([
    ["that is not JSON", '{"method":"tools/call"', {}, 400, "not JSON"],
    ["with a coding", JSON.stringify(call("set_a")), { "content-encoding": "gzip" }, 415, "Content-Encoding"],
    ["over 4 MiB", JSON.stringify({ ...call("get_a"), pad: "x".repeat(4_200_000) }), {}, 413, "4 MiB"],
    [
      "of a notification",
      JSON.stringify({ jsonrpc: "2.0", method: "tools/call", params: { name: "set_a" } }),
      {},
      400,
      "set_a"
    ],
    [
      "that names the tool in a header",
      JSON.stringify(call("get_a")),
      { "mcp-method": "tools/call", "mcp-name": "set_a" },
      200,
      "set_a"
    ]
  ] as const)("a body %s is refused", ([, body, headers, expected, said]) =>
    Effect.gen(function* () {
      const { ask, received } = yield* start()
      const answer = yield* ask(body, headers)
      assert.strictEqual(answer.status, expected)
      assert.include(answer.body.toString(), said)
      assert.lengthOf(received, 0)
    })
  )

  it.effect("an empty `allow` allows nothing, and `deny` alone denies only that", () =>
    Effect.gen(function* () {
      const none = yield* start(undefined, { allow: [] })
      assert.include((yield* none.ask(call("get_a"))).body.toString(), "get_a")
      assert.deepStrictEqual(JSON.parse((yield* none.ask(list)).body.toString()), listed())
      const others = yield* start(undefined, { deny: ["*_secret"] })
      assert.deepStrictEqual(
        JSON.parse((yield* others.ask(list)).body.toString()),
        listed("get_a", "set_a", "echo")
      )
    })
  )

  it.effect("a stdio server shows and does no more than a server over HTTP", () =>
    Effect.gen(function* () {
      const program = `
        require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
          const { id, method, params } = JSON.parse(line)
          if (id === undefined) return
          const result = method === "initialize"
            ? { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "s", version: "1" } }
            : method === "tools/list" ? { tools: ${JSON.stringify(all.map((name) => ({ name })))} } : { content: [{ type: "text", text: "done" }] }
          console.log(JSON.stringify({ jsonrpc: "2.0", id, result }))
        })`
      const { mcp } = yield* startGateway({
        servers: [
          { server_name: "a", config: { command: process.execPath, args: ["-e", program] }, tools: rules }
        ]
      })
      const params = {
        protocolVersion: "2025-06-18",
        capabilities: {},
        clientInfo: { name: "c", version: "1" }
      }
      const first = yield* send(mcp("a"), rpc({ jsonrpc: "2.0", id: 0, method: "initialize", params }))
      const session = { "mcp-session-id": String(first.headers["mcp-session-id"]) }
      const ask = (message: object) => {
        const request = rpc(message)
        return Effect.map(
          send(mcp("a"), { ...request, headers: { ...request.headers, ...session } }),
          ({ body }) => body.toString()
        )
      }
      yield* ask({ jsonrpc: "2.0", method: "notifications/initialized" })
      const shown = yield* ask(list)
      assert.include(shown, '"get_a"')
      for (const hidden of ["get_secret", "set_a"]) assert.notInclude(shown, hidden)
      assert.include(yield* ask(call("get_a", 2)), "done")
      assert.include(yield* ask(call("set_a", 3)), "does not allow")
    })
  )
})
