import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { createServer } from "node:http"
import { httpRequestBytes } from "../input/HttpRequests.ts"
import { secretNamed } from "../input/Secrets.ts"
import { Broken, type Target } from "../run/Target.ts"
import { exchange, listen } from "../servers/Loopback.ts"
import { runGateway } from "../servers/RunningGateway.ts"

const secrets = {
  apiKey: secretNamed("api-key"),
  clientSecret: secretNamed("client-secret"),
  accessToken: secretNamed("granted-access-token"),
  header: secretNamed("header-of-the-entry")
}

/** Bytes, one in each character. */
const Input = Schema.Struct({ bytes: Schema.String })

const paths = [
  "/servers/plain/mcp",
  "/servers/machine/mcp",
  "/servers/machine/mcp?api_key=1",
  "/servers/person/mcp",
  "/servers/child/mcp",
  "/servers/unknown/mcp",
  "/servers/%70lain/mcp",
  "/servers/../metrics",
  "http://127.0.0.1/servers/plain/mcp",
  "/healthz",
  "/metrics",
  "/readyz",
  "/",
  "*"
]

/** What clients send to the gateway's port, also where it is no HTTP. */
export const httpRequests: Target<typeof Input.Type> = {
  name: "http-requests",
  input: Input,
  secrets: Object.values(secrets),
  inputs: httpRequestBytes(secrets.apiKey, paths).map((bytes) => ({ bytes })),
  open: Effect.gen(function* () {
    const upstream = `http://127.0.0.1:${yield* listen(makeUpstream())}`
    const port = yield* runGateway(documentFor(upstream))
    return ({ bytes }) =>
      Effect.gen(function* () {
        const answer = yield* exchange(port, bytes)
        // The end of a head came, so somebody may wait for the answer.
        if (/\r\n\r\n/.test(bytes.trimStart()) && !answer.startsWith("HTTP/1.1 "))
          return yield* new Broken({ problem: `an answer: the connection was closed without one` })
        const alive = yield* exchange(port, healthCheck)
        if (!alive.startsWith("HTTP/1.1 200"))
          return yield* new Broken({ problem: `a gateway that goes on: it answered ${alive.slice(0, 60)}` })
        return [answer]
      })
  })
}

const healthCheck = [
  "GET /healthz HTTP/1.1",
  "Host: 127.0.0.1",
  `Authorization: Bearer ${secrets.apiKey}`,
  "Connection: close",
  "\r\n"
].join("\r\n")

/** An MCP server and a token endpoint that repeat nothing of what they get. */
const makeUpstream = () =>
  createServer((request, response) => {
    request.resume().on("end", () => {
      const token = { access_token: secrets.accessToken, token_type: "Bearer", expires_in: 3600 }
      if (request.url === "/token")
        return response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(token))
      if (request.method !== "POST") return response.writeHead(405).end()
      return response
        .writeHead(200, { "content-type": "application/json" })
        .end('{"jsonrpc":"2.0","id":1,"result":{}}')
    })
  })

const documentFor = (upstream: string) => {
  const client = {
    enabled: true,
    client_id: "gateway",
    client_secret: secrets.clientSecret,
    enforce_https: false
  }
  return {
    gateway: { port: 0, callback_port: 0, api_keys: [{ subject: "ada", key: secrets.apiKey }] },
    servers: [
      { server_name: "plain", config: { url: `${upstream}/mcp` } },
      {
        server_name: "machine",
        config: { url: `${upstream}/mcp`, headers: { "X-Secret": secrets.header } },
        oauth: { ...client, token_url: `${upstream}/token` }
      },
      {
        server_name: "person",
        config: { url: `${upstream}/mcp` },
        oauth: {
          ...client,
          grant_type: "authorization_code",
          authorization_url: `${upstream}/authorize`,
          token_url: `${upstream}/token`
        }
      },
      { server_name: "child", config: { command: "/nowhere/server", env: { SECRET: secrets.header } } }
    ]
  }
}
