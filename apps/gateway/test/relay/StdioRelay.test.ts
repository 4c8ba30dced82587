import { assert, describe, it } from "@effect/vitest"
import { Client, type JSONRPCMessage, type Transport } from "@modelcontextprotocol/client"
import { NodeStreamableHTTPServerTransport, toNodeHandler } from "@modelcontextprotocol/node"
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { randomUUID } from "node:crypto"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { PassThrough } from "node:stream"
import type { Deliver } from "../../../../packages/gateway-server/src/relay/session/ServerSession.ts"
import { relay } from "../../../../packages/gateway-server/src/relay/StdioRelay.ts"
import { describeFailure, type Fetch } from "../../../../packages/gateway-server/src/fetch/Fetch.ts"
import { makeHttpSession } from "../../../../packages/gateway-server/src/relay/session/HttpSession.ts"
import { listen } from "../bridge/bridgeServer.ts"
import type { Message } from "../bridge/httpCall.ts"

/** Requests to a URL, without a token. */
const fetchFrom =
  (url: URL): Fetch =>
  (request) =>
    Effect.flatMap(Effect.abortSignal, (signal) =>
      Effect.tryPromise({ try: () => globalThis.fetch(url, { ...request, signal }), catch: describeFailure })
    )

const limits = { messageBytes: 10_000, unreadMessages: 100, unreadBytes: 20_000 }

/** A relay on a pair of pipes, and the client's ends of them. */
const startRelay = Effect.fnUntraced(function* (url: URL, fetch: Fetch = fetchFrom(url)) {
  const input = new PassThrough()
  const output = new PassThrough()
  const connect = (deliver: Deliver) => makeHttpSession({ fetch, deliver, messageBytes: limits.messageBytes })
  const running = yield* Effect.forkScoped(Effect.scoped(relay({ input, output, connect, limits })))
  const lines = readLines(output)
  return {
    running,
    input,
    output,
    send: (message: object | string) =>
      Effect.sync(() => {
        input.write(
          `${typeof message === "string" ? message : JSON.stringify({ jsonrpc: "2.0", ...message })}\n`
        )
      }),
    next: Effect.promise(async (): Promise<Message> => JSON.parse((await lines.next()).value ?? "null")),
    lines
  }
})

async function* readLines(stream: PassThrough): AsyncGenerator<string, undefined> {
  let unread = ""
  for await (const chunk of stream) {
    unread += chunk
    const lines = unread.split("\n")
    unread = lines.pop() ?? ""
    yield* lines
  }
  return undefined
}

/** An upstream that answers as a test says, and the requests that came, in order. */
const serve = Effect.fnUntraced(function* (answer: (seen: Seen, response: ServerResponse) => void) {
  const requests: Array<Seen> = []
  const server = createServer(async (request, response) => {
    const seen = { method: request.method, headers: request.headers, message: await readMessage(request) }
    requests.push(seen)
    answer(seen, response)
  })
  return { url: yield* listen(server), requests }
})

interface Seen {
  readonly method: string | undefined
  readonly headers: IncomingMessage["headers"]
  readonly message: Message
}

const readMessage = async (request: IncomingMessage): Promise<Message> => {
  let text = ""
  for await (const chunk of request) text += chunk
  return text === "" ? {} : JSON.parse(text)
}

const json = (response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}) =>
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body))

const events = (response: ServerResponse, text: string) =>
  response.writeHead(200, { "content-type": "text/event-stream" }).end(text)

const result = (id: unknown, result: object = {}) => ({ jsonrpc: "2.0", id, result })

const initializeRequest = {
  id: 0,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } }
}
const initializeResult = {
  protocolVersion: "2025-11-25",
  capabilities: {},
  serverInfo: { name: "upstream", version: "1" }
}
const statelessMeta = { "io.modelcontextprotocol/protocolVersion": "2026-07-28" }

/** The official SDK's client at the client's end of the pipes. */
const connect = (
  { input, lines }: { readonly input: PassThrough; readonly lines: AsyncGenerator<string, undefined> },
  client: Client
) =>
  Effect.promise(async () => {
    const transport: Transport = {
      start: async () => {
        void (async () => {
          for await (const line of lines) transport.onmessage?.(JSON.parse(line))
        })()
      },
      send: async (message: JSONRPCMessage) => void input.write(`${JSON.stringify(message)}\n`),
      close: async () => void input.end()
    }
    await client.connect(transport)
    return client
  })

const makeMcpServer = () => {
  const server = new McpServer(
    { name: "upstream", version: "1" },
    { capabilities: { tools: { listChanged: true } } }
  )
  server.registerTool("count_aloud", {}, async ({ mcpReq: { _meta: meta, notify } }) => {
    const progressToken = meta?.progressToken
    if (progressToken !== undefined)
      await notify({ method: "notifications/progress", params: { progressToken, progress: 1 } })
    return { content: [{ type: "text", text: "counted" }] }
  })
  server.registerTool("change_tools", {}, () => {
    server.sendToolListChanged()
    return { content: [] }
  })
  return server
}

const callAloud = (client: Client) =>
  Effect.promise(async () => {
    const progress: Array<number> = []
    await client.callTool(
      { name: "count_aloud", arguments: {} },
      { onprogress: (event) => progress.push(event.progress) }
    )
    return progress
  })

describe("the stdio relay", () => {
  it.effect("joins a client and a server of the stateless revision", () =>
    Effect.gen(function* () {
      const handler = createMcpHandler(makeMcpServer, { legacy: "reject" })
      const answer = toNodeHandler(handler)
      const url = yield* listen(
        createServer(
          (request, response) =>
            void answer(
              Object.assign(request, { method: request.method ?? "", url: request.url ?? "" }),
              response
            )
        )
      )
      const pipes = yield* startRelay(url)
      const mode = { pin: "2026-07-28" } as const
      const client = yield* connect(
        pipes,
        new Client({ name: "test", version: "1" }, { versionNegotiation: { mode } })
      )
      assert.deepStrictEqual(yield* callAloud(client), [1])
      yield* Effect.promise(() => client.close())
      yield* Fiber.join(pipes.running)
    })
  )

  it.effect("joins a client and a server with sessions, and ends the session", () =>
    Effect.gen(function* () {
      const closed = yield* Deferred.make<string>()
      const transport = new NodeStreamableHTTPServerTransport({
        sessionIdGenerator: randomUUID,
        onsessionclosed: (id) => void Deferred.doneUnsafe(closed, Effect.succeed(id))
      })
      yield* Effect.promise(() => makeMcpServer().connect(transport))
      const opened = yield* Deferred.make<void>()
      const url = yield* listen(
        createServer((request, response) => {
          void transport.handleRequest(request, response)
          if (request.method === "GET") Deferred.doneUnsafe(opened, Effect.void)
        })
      )
      const pipes = yield* startRelay(url)
      const client = yield* connect(pipes, new Client({ name: "test", version: "1" }))
      assert.deepStrictEqual(yield* callAloud(client), [1])

      const changed = yield* Deferred.make<void>()
      client.setNotificationHandler("notifications/tools/list_changed", () => {
        Deferred.doneUnsafe(changed, Effect.void)
      })
      yield* Deferred.await(opened)
      yield* Effect.promise(() => client.callTool({ name: "change_tools", arguments: {} }))
      yield* Deferred.await(changed)

      yield* Effect.promise(() => client.close())
      yield* Fiber.join(pipes.running)
      assert.strictEqual(yield* Deferred.await(closed), transport.sessionId)
    })
  )

  it.effect("answers failed requests with an error and continues", () =>
    Effect.gen(function* () {
      const upstream = yield* serve(({ message }, response) => {
        switch (message.method) {
          case "coded":
            return json(response, 502, {
              jsonrpc: "2.0",
              id: null,
              error: { code: -31001, message: "no token" }
            })
          case "page":
            return response.writeHead(503, { "content-type": "text/html" }).end("<html>")
          case "nothing":
            return events(response, ": no answer\n\n")
          case "broken":
            return response.destroy()
          default:
            return json(response, 200, result(message.id))
        }
      })
      const { next, send } = yield* startRelay(upstream.url)
      const answers: Array<Message> = []
      for (const [id, method] of ["coded", "page", "nothing", "broken", "fine"].entries()) {
        yield* send({ id, method })
        answers.push(yield* next)
      }
      assert.deepStrictEqual(
        answers.map(({ error, id }) => [id, error?.code]),
        [
          [0, -31001],
          [1, -32603],
          [2, -32603],
          [3, -32603],
          [4, undefined]
        ]
      )
      assert.include(answers[1]?.error?.message, "503")
    })
  )

  it.effect("tells the client why it could not get a token", () =>
    Effect.gen(function* () {
      const { next, send } = yield* startRelay(new URL("http://127.0.0.1:9/mcp"), () =>
        Effect.fail(describeFailure(new Error("the authorization server refused")))
      )
      yield* send({ id: "a", method: "tools/list" })
      const { error, id } = yield* next
      assert.deepStrictEqual([id, error?.code], ["a", -32603])
      assert.include(error?.message, "the authorization server refused")
    })
  )

  it.effect("refuses lines that are no messages", () =>
    Effect.gen(function* () {
      const { next, send } = yield* startRelay(new URL("http://127.0.0.1:9/mcp"))
      yield* send("{nonsense")
      assert.strictEqual((yield* next).error?.code, -32700)
      yield* send('{"id":null,"method":"x"}')
      assert.strictEqual((yield* next).error?.code, -32600)
    })
  )

  it.effect("writes the answers that are due when the input ends, and then ends", () =>
    Effect.gen(function* () {
      const held: Array<() => void> = []
      const upstream = yield* serve(({ message }, response) => {
        held.push(() => json(response, 200, result(message.id)))
      })
      const { input, next, running, send } = yield* startRelay(upstream.url)
      yield* send({ id: 1, method: "slow" })
      while (held.length === 0) yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      yield* Effect.sync(() => input.end())
      assert.isUndefined(running.pollUnsafe())
      held[0]?.()
      assert.strictEqual((yield* next).id, 1)
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(running)))
    })
  )

  it.effect("sends the headers of each revision", () =>
    Effect.gen(function* () {
      const upstream = yield* serve(({ message, method }, response) => {
        if (method === "GET") return response.writeHead(405).end()
        if (message.id === undefined) return response.writeHead(202).end()
        if (message.method !== "initialize") return json(response, 200, result(message.id))
        return json(response, 200, result(message.id, initializeResult), { "mcp-session-id": "s1" })
      })
      const { next, send } = yield* startRelay(upstream.url)
      yield* send(initializeRequest)
      yield* next
      yield* send({ method: "notifications/initialized" })
      yield* send({ id: 1, method: "tools/list" })
      yield* next
      yield* send({ id: 2, method: "tools/call", params: { name: "grüße", _meta: statelessMeta } })
      yield* next
      const posts = upstream.requests.filter(({ method }) => method === "POST")
      assert.deepStrictEqual(
        posts.map(({ headers, message }) => [
          message.method,
          headers["mcp-session-id"],
          headers["mcp-protocol-version"],
          headers["mcp-method"],
          headers["mcp-name"]
        ]),
        [
          ["initialize", undefined, undefined, undefined, undefined],
          ["notifications/initialized", "s1", "2025-11-25", undefined, undefined],
          ["tools/list", "s1", "2025-11-25", undefined, undefined],
          ["tools/call", undefined, "2026-07-28", "tools/call", "=?base64?Z3LDvMOfZQ==?="]
        ]
      )
    })
  )

  it.effect("repeats tool parameters in headers, and looks the tools up when it must", () =>
    Effect.gen(function* () {
      const inputSchema = {
        type: "object",
        properties: {
          where: { type: "object", properties: { region: { type: "string", "x-mcp-header": "Region" } } },
          limit: { type: "integer", "x-mcp-header": "Limit" },
          dry: { type: "boolean", "x-mcp-header": "Dry" }
        }
      }
      const upstream = yield* serve(({ headers, message }, response) => {
        if (message.method === "tools/list" && message.params?.["cursor"] === undefined)
          return json(response, 200, result(message.id, { tools: [], nextCursor: "2" }))
        if (message.method === "tools/list")
          return json(response, 200, result(message.id, { tools: [{ name: "query", inputSchema }] }))
        if (headers["mcp-param-region"] === undefined)
          return json(response, 400, {
            jsonrpc: "2.0",
            id: message.id,
            error: { code: -32020, message: "missing" }
          })
        return json(response, 200, result(message.id))
      })
      const { next, send } = yield* startRelay(upstream.url)
      const params = {
        name: "query",
        arguments: { where: { region: "Zürich" }, limit: 7 },
        _meta: statelessMeta
      }
      yield* send({ id: 1, method: "tools/call", params })
      assert.strictEqual((yield* next).id, 1)
      yield* send({ id: 2, method: "tools/call", params })
      assert.strictEqual((yield* next).id, 2)
      assert.deepStrictEqual(
        upstream.requests.map(({ headers, message }) => [message.method, headers["mcp-param-region"]]),
        [
          ["tools/call", undefined],
          ["tools/list", undefined],
          ["tools/list", undefined],
          ["tools/call", "=?base64?WsO8cmljaA==?="],
          ["tools/call", "=?base64?WsO8cmljaA==?="]
        ]
      )
      const last = upstream.requests.at(-1)?.headers
      assert.deepStrictEqual([last?.["mcp-param-limit"], last?.["mcp-param-dry"]], ["7", undefined])
    })
  )

  it.effect("cancels a stateless request by closing its connection", () =>
    Effect.gen(function* () {
      const arrived = yield* Deferred.make<void>()
      const closed = yield* Deferred.make<void>()
      const upstream = yield* serve((_, response) => {
        response.once("close", () => Deferred.doneUnsafe(closed, Effect.void))
        Deferred.doneUnsafe(arrived, Effect.void)
      })
      const { send } = yield* startRelay(upstream.url)
      yield* send({ id: 1, method: "tools/call", params: { name: "slow", _meta: statelessMeta } })
      yield* Deferred.await(arrived)
      yield* send({ method: "notifications/cancelled", params: { requestId: 1 } })
      yield* Deferred.await(closed)
      assert.strictEqual(upstream.requests.length, 1)
    })
  )

  it.effect("begins another session when the server answers that the first is unknown", () =>
    Effect.gen(function* () {
      let sessions = 0
      const upstream = yield* serve(({ headers, message, method }, response) => {
        if (method === "GET") return response.writeHead(405).end()
        if (message.method === "initialize") {
          sessions += 1
          return json(response, 200, result(message.id, initializeResult), {
            "mcp-session-id": `s${sessions}`
          })
        }
        if (headers["mcp-session-id"] === "s1" && message.id !== undefined)
          return response.writeHead(404).end()
        if (message.id === undefined) return response.writeHead(202).end()
        return json(response, 200, result(message.id, { session: headers["mcp-session-id"] }))
      })
      const { next, send } = yield* startRelay(upstream.url)
      yield* send(initializeRequest)
      yield* next
      yield* send({ method: "notifications/initialized" })
      yield* send({ id: 1, method: "tools/list" })
      yield* send({ id: 2, method: "tools/list" })
      const answers = [yield* next, yield* next]
      assert.deepStrictEqual(
        answers.map(({ result }) => result?.["session"]),
        ["s2", "s2"]
      )
      assert.strictEqual(sessions, 2)
    })
  )

  it.effect("resumes a stream that the server closes before it has answered", () =>
    Effect.gen(function* () {
      const resumed = yield* Deferred.make<void>()
      const upstream = yield* serve(({ headers, method }, response) => {
        if (method === "POST") return events(response, `id: 7\nretry: 400\ndata: \n\n`)
        Deferred.doneUnsafe(resumed, Effect.void)
        return events(response, `data: ${JSON.stringify(result(1, { after: headers["last-event-id"] }))}\n\n`)
      })
      const { next, send } = yield* startRelay(upstream.url)
      yield* send({ id: 1, method: "slow" })
      while (!Deferred.isDoneUnsafe(resumed)) {
        yield* TestClock.adjust("400 millis")
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      }
      assert.deepStrictEqual((yield* next).result, { after: "7" })
    })
  )

  it.effect("fails when its output is not read", () =>
    Effect.gen(function* () {
      const upstream = yield* serve(({ message }, response) => json(response, 200, result(message.id)))
      const { next, output, running, send } = yield* startRelay(upstream.url)
      yield* send({ id: 1, method: "x" })
      yield* next
      yield* Effect.sync(() => output.destroy(new Error("EPIPE")))
      const failure = yield* Effect.flip(Fiber.join(running))
      assert.strictEqual(failure.stream, "output")
    })
  )
})
