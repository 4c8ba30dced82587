import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import { createServer as createHttpServer } from "node:http"
import { createServer } from "node:net"
import { jsonRpcText } from "../input/JsonRpcTexts.ts"
import { inPieces } from "../input/Pieces.ts"
import { secretNamed } from "../input/Secrets.ts"
import { bufferOf, bytesOf, damaged, hostileText } from "../input/Texts.ts"
import { Broken, type Target } from "../run/Target.ts"
import { exchange, listen } from "../servers/Loopback.ts"
import { runGateway } from "../servers/RunningGateway.ts"

const secrets = {
  apiKey: secretNamed("api-key"),
  clientSecret: secretNamed("client-secret"),
  accessToken: secretNamed("granted-access-token"),
  header: secretNamed("header-of-the-entry")
}

const Input = Schema.Struct({
  server: Schema.Literals(["plain", "machine", "sse"]),
  method: Schema.Literals(["POST", "GET", "DELETE"]),
  /** What the MCP server sends after a request, as bytes, one in each character; then it hangs up. */
  pieces: Schema.Array(Schema.String)
})

const header = fc.oneof(
  fc.constantFrom(
    "Content-Type: application/json",
    "Content-Type: text/event-stream",
    "Content-Type: text/html",
    "Content-Length: 0",
    "Content-Length: 10",
    "Content-Length: 99999999999",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: x",
    "Content-Encoding: gzip",
    "Connection: close, content-type",
    "Connection: upgrade",
    "Upgrade: h2c",
    "Location: /other",
    "Location: https://evil.example/",
    "Location: //evil.example",
    "Location: http://[",
    "Mcp-Session-Id: abc",
    "Set-Cookie: a=b",
    "Retry-After: 0",
    'WWW-Authenticate: Bearer error="invalid_token"',
    'WWW-Authenticate: Bearer error="insufficient_scope", scope="a b"',
    "Content-Security-Policy: x",
    ": x",
    " folded"
  ),
  hostileText().map((value) => `X-A: ${value.slice(0, 20_000)}`)
)

const response = fc
  .record({
    status: fc.constantFrom(
      "200 OK",
      "200",
      "100 Continue",
      "101 Switching",
      "103 x",
      "204 x",
      "202 x",
      "301 x",
      "307 x",
      "400 x",
      "401 x",
      "403 x",
      "404 x",
      "429 x",
      "500 x",
      "503 x",
      "999 x",
      "x"
    ),
    headers: fc.array(header, { maxLength: 5 }),
    body: fc.oneof(
      jsonRpcText(),
      jsonRpcText().map((text) => `event: message\ndata: ${text}\n\n`),
      hostileText()
    ),
    hasLength: fc.boolean()
  })
  .map(({ body, hasLength, headers, status }) => {
    const content = bytesOf(body)
    const fields = headers.map((line) => `${bytesOf(line)}\r\n`).join("")
    return `HTTP/1.1 ${status}\r\n${fields}${hasLength ? `Content-Length: ${content.length}\r\n` : ""}\r\n${content}`
  })

const bytes = fc.oneof(
  { weight: 4, arbitrary: response },
  { weight: 1, arbitrary: damaged(response, hostileText().map(bytesOf)) },
  { weight: 1, arbitrary: fc.tuple(response, response).map((both) => both.join("")) }
)

/** What MCP servers answer over HTTP, also where it is no HTTP. */
export const mcpAnswers: Target<typeof Input.Type> = {
  name: "mcp-answers",
  input: Input,
  secrets: Object.values(secrets),
  inputs: fc.record({
    server: fc.constantFrom("plain", "machine", "machine", "sse"),
    method: fc.constantFrom("POST", "POST", "POST", "GET", "DELETE"),
    pieces: inPieces(bytes)
  }),
  open: Effect.gen(function* () {
    const script: { pieces: ReadonlyArray<string> } = { pieces: [] }
    const upstream = `http://127.0.0.1:${yield* listen(makeMcpServer(script))}/mcp`
    const tokenUrl = `http://127.0.0.1:${yield* listen(makeTokenEndpoint())}/token`
    const port = yield* runGateway(documentFor(upstream, tokenUrl))
    return ({ method, pieces, server }) =>
      Effect.gen(function* () {
        script.pieces = pieces
        const answer = yield* exchange(port, requestTo(server, method))
        if (!/^HTTP\/1\.1 \d{3} /.test(answer))
          return yield* new Broken({ problem: "an answer: the connection was closed without one" })
        return [answer]
      })
  })
}

const requestTo = (server: string, method: string): string => {
  const body = method === "POST" ? '{"jsonrpc":"2.0","id":1,"method":"tools/list"}' : ""
  return [
    `${method} /servers/${server}/mcp HTTP/1.1`,
    "Host: 127.0.0.1",
    "Connection: close",
    `Authorization: Bearer ${secrets.apiKey}`,
    "Accept: application/json, text/event-stream",
    "Content-Type: application/json",
    "MCP-Protocol-Version: 2025-11-25",
    `Content-Length: ${body.length}`,
    "",
    body
  ].join("\r\n")
}

/** Answers the head of a request with the bytes of the script, and hangs up. */
const makeMcpServer = (script: { readonly pieces: ReadonlyArray<string> }) =>
  createServer((socket) => {
    socket.on("error", () => socket.destroy())
    socket.once("data", () => {
      for (const piece of script.pieces) socket.write(bufferOf(piece))
      socket.end()
    })
    socket.resume()
  })

const makeTokenEndpoint = () =>
  createHttpServer((request, answer) => {
    const token = { access_token: secrets.accessToken, token_type: "Bearer", expires_in: 3600 }
    request
      .resume()
      .on("end", () =>
        answer.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(token))
      )
  })

const documentFor = (url: string, tokenUrl: string) => ({
  // Of several people, so that sessions are theirs.
  gateway: { port: 0, callback_port: 0, api_keys: [{ subject: "ada", key: secrets.apiKey }] },
  servers: [
    { server_name: "plain", config: { url } },
    { server_name: "sse", config: { url, transport: "sse" } },
    {
      server_name: "machine",
      config: { url, headers: { "X-Secret": secrets.header } },
      oauth: {
        enabled: true,
        client_id: "gateway",
        client_secret: secrets.clientSecret,
        token_url: tokenUrl,
        enforce_https: false
      }
    }
  ]
})
