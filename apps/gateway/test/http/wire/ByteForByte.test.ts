import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { createServer, type Server } from "node:net"
import { buffer } from "node:stream/consumers"
import { brotliCompressSync, gzipSync, zstdCompressSync } from "node:zlib"
import { parseJsonRpc } from "../../../../../packages/gateway-server/src/jsonrpc/JsonRpc.ts"
import { takeLoginAnswer } from "../../../../../packages/gateway-server/src/login/LoginPrompt.ts"
import { failureIn, type RawRequest, send, serveRaw } from "../RawHttp.ts"
import { startGateway, startTokenEndpoint } from "../RunningGateway.ts"

const big = `{"id":725653563933458433,"money":0.30000000000000000001,"float":1.0,"huge":1e400}`

/** What a parser and a writer of JSON, or of text, would change. */
const bodies: ReadonlyArray<readonly [string, string | Buffer]> = [
  ["numbers that JavaScript cannot hold", `{"jsonrpc":"2.0","id":9007199254740993,"params":${big}}`],
  ["a batch", `[{"jsonrpc":"2.0","id":1.0,"method":"a"},\n {"jsonrpc":"2.0","method":"b","params":${big}}]`],
  ["unknown members", `{"jsonrpc":"2.0","id":1,"result":{},"x-extra":{"__proto__":1},"error":null}`],
  ["repeated keys", `{"jsonrpc":"2.0","id":1,"id":2,"method":"a","method":"b"}`],
  ["integer keys in their order", `{"jsonrpc":"2.0","id":1,"params":{"2":1,"1":2,"b":3,"a":4}}`],
  ["escapes and whitespace", `\t{ "jsonrpc" : "2.0",\r\n"id":"\\u0061\\/" , "method":"\\ud800" }\r\n`],
  ["a byte order mark", `\uFEFF{"jsonrpc":"2.0","id":1}`],
  ["bytes that are no UTF-8", Buffer.from([0x7b, 0xff, 0xfe, 0x00, 0xc3, 0x7d])],
  ["text that is no JSON", "hello"],
  ["nothing", ""]
]

/** What servers write in an event stream, and whoever reads one could change. */
const eventStream = `\uFEFF: hello\r\nid: 7\r\nevent: message\r\ndata: ${big}\r\n\r\nretry: 5\rdata:x\r\rdata: y\n\n: end`

/** Servers before which a request with a token is repeated, because the first token is refused. */
const startEcho = Effect.gen(function* () {
  const received: Array<Buffer> = []
  const upstream = yield* serveRaw(async (request, response) => {
    const body = await buffer(request)
    const { authorization, "content-encoding": coding, "content-type": type } = request.headers
    received.push(body)
    const headers = coding === undefined ? {} : { "content-encoding": coding }
    const status = authorization === "Bearer token-1" ? 401 : 200
    response.writeHead(status, { "content-type": type ?? "text/plain", ...headers }).end(body)
  })
  const { oauth } = yield* startTokenEndpoint
  const gateway = yield* startGateway({
    servers: [
      { server_name: "plain", config: { url: upstream.url } },
      { server_name: "with-token", config: { url: upstream.url }, oauth }
    ]
  })
  return { gateway, received }
})

const framings: ReadonlyArray<readonly [string, RawRequest["headers"]]> = [
  ["with a length", {}],
  ["in chunks", { "transfer-encoding": "chunked" }]
]

describe("a body through the gateway", () => {
  for (const [what, body] of bodies) {
    for (const [how, framing] of framings) {
      it.effect(
        `${what}, ${how}: it arrives byte for byte, also when it is repeated, and comes back so`,
        () =>
          Effect.gen(function* () {
            const { gateway, received } = yield* startEcho
            for (const name of ["plain", "with-token"]) {
              const headers = { "content-type": "application/json", ...framing }
              const answer = yield* send(gateway.mcp(name), { method: "POST", headers, body })
              assert.strictEqual(answer.status, 200)
              for (const bytes of [...received, answer.body]) assert.isTrue(bytes.equals(Buffer.from(body)))
            }
            assert.lengthOf(received, 3)
          })
      )
    }
  }

  it.effect("a compressed body stays as it is, and its coding is said", () =>
    Effect.gen(function* () {
      const { gateway, received } = yield* startEcho
      for (const [coding, body] of [
        ["gzip", gzipSync(big)],
        ["br", brotliCompressSync(big)],
        ["zstd", zstdCompressSync(big)]
      ] as const) {
        const headers = { "content-type": "application/json", "content-encoding": coding }
        const answer = yield* send(gateway.mcp("plain"), { method: "POST", headers, body })
        assert.strictEqual(answer.headers["content-encoding"], coding)
        assert.isTrue(received.pop()?.equals(body))
        assert.isTrue(answer.body.equals(body))
      }
    })
  )

  it.effect("an event stream stays as it is, with any line ends, and cut anywhere", () =>
    Effect.gen(function* () {
      const bytes = Buffer.from(eventStream)
      const upstream = yield* serveRaw(async (_request, response) => {
        response.writeHead(200, { "content-type": "text/event-stream" })
        for (const byte of bytes) {
          await new Promise((resolve) => response.write(Buffer.from([byte]), resolve))
        }
        response.end()
      })
      const gateway = yield* startGateway({
        servers: [{ server_name: "raw", config: { url: upstream.url } }]
      })
      const answer = yield* send(gateway.mcp("raw"))
      assert.strictEqual(answer.headers["content-type"], "text/event-stream")
      assert.isTrue(answer.body.equals(bytes))
    })
  )

  it.effect("an answer that ends with its connection stays as it is", () =>
    Effect.gen(function* () {
      const url = yield* serveText(`HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n${big}`)
      const gateway = yield* startGateway({ servers: [{ server_name: "raw", config: { url } }] })
      assert.strictEqual((yield* send(gateway.mcp("raw"))).body.toString(), big)
    })
  )

  it("a message loses a person's answer to the gateway and nothing else", () => {
    const params = `"inputResponses" : { "secure_mcp_gateway_login":{"action":"accept"}, "own":${big} }, "x":1.0`
    const request = (text: string) => `{"id":9007199254740993, "method":"tools/call","params":{${text}}}`
    const message = parseJsonRpc(request(params))?.messages[0]
    assert.deepStrictEqual(message === undefined ? undefined : takeLoginAnswer(message), {
      accepted: true,
      text: request(params.replace('"secure_mcp_gateway_login":{"action":"accept"}, ', ""))
    })
  })
})

describe("the id of an error of the gateway", () => {
  const ids: ReadonlyArray<readonly [string, string]> = [
    [`{"jsonrpc":"2.0","id":9007199254740993,"method":"a"}`, "9007199254740993"],
    [`{"method":"a","params":{"id":7},"id" : -1.50e3 }`, "-1.50e3"],
    [`{"id":1,"id":725653563933458433,"method":"a"}`, "725653563933458433"],
    [`{"id":1e400,"method":"a"}`, "1e400"],
    [`{"id":"9007199254740993","method":"a"}`, `"9007199254740993"`],
    [`\uFEFF{"id":9007199254740993,"method":"a"}`, "9007199254740993"],
    [`[{"id":9007199254740993,"method":"a"}]`, "null"],
    [`{"method":"notifications/a"}`, "null"],
    [`{"id":{"a":1},"method":"a"}`, "null"],
    [`{"id":1,"method":`, "null"],
    ["", "null"]
  ]
  for (const [body, id] of ids) {
    it.effect(`${body}: the error of the gateway has the id ${id}`, () =>
      Effect.gen(function* () {
        const gateway = yield* startGateway({
          servers: [{ server_name: "away", config: { url: "http://127.0.0.1:9/mcp" } }]
        })
        for (const name of ["away", "unknown"]) {
          const answer = yield* send(gateway.mcp(name), { method: "POST", body })
          assert.include(answer.body.toString(), `{"jsonrpc":"2.0","id":${id},"error":{`)
          assert.strictEqual(failureIn(answer).jsonrpc, "2.0")
        }
      })
    )
  }
})

/** A server that answers every connection with a text and hangs up. */
const serveText = (answer: string) =>
  Effect.acquireRelease(
    Effect.callback<Server>((resume) => {
      const server = createServer((socket) =>
        socket.on("error", () => {}).once("data", () => socket.end(answer))
      )
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.sync(() => server.close())
  ).pipe(
    Effect.map((server) => {
      const address = server.address()
      return `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}/mcp`
    })
  )
