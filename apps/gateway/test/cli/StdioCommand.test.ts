import { assert, describe, layer } from "@effect/vitest"
import { Client } from "@modelcontextprotocol/client"
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio"
import { AuthorizationServer, clientCredentialsClient } from "@secure-mcp/authorization-server"
import { EchoServer } from "@secure-mcp/echo-server"
import { Answer, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { fileURLToPath } from "node:url"
import { TestLayer } from "../config/configFile.ts"
import {
  baseEnvironment,
  commandLine,
  entry,
  runGateway,
  secretEnvironment,
  writeConfig
} from "./gatewayProcess.ts"

const resource = "https://api.example.com"

/** The command line of the echo server, as an operator would write it. */
const echoChild = {
  command: process.execPath,
  args: [
    "--conditions=@secure-mcp/source",
    fileURLToPath(new URL("main.ts", import.meta.resolve("@secure-mcp/echo-server"))),
    "stdio"
  ]
}

/** The official client, talking to `stdio SERVER`. */
const connect = Effect.fnUntraced(function* (server: string, document: object) {
  const config = yield* writeConfig(document)
  return yield* Effect.acquireRelease(
    Effect.promise(async () => {
      const client = new Client({ name: "gateway-test", version: "1.0.0" })
      const transport = new StdioClientTransport({
        command: process.execPath,
        args: [...commandLine("stdio", server, "--config", config, "--log-format", "json")],
        env: { ...baseEnvironment, ...secretEnvironment },
        stderr: "pipe"
      })
      await client.connect(transport)
      return client
    }),
    (client) => Effect.promise(() => client.close())
  )
})

const echo = (client: Client) =>
  Effect.promise(async () => {
    const { content } = await client.callTool({ name: "echo_auth_header", arguments: {} })
    const [first] = content
    return first?.type === "text" ? first.text : ""
  })

const startAuthorizationServer = AuthorizationServer.make({
  clients: [clientCredentialsClient("client", secretEnvironment.CLIENT_SECRET)],
  resources: [{ identifier: resource, scopes: ["mcp:read"], accessTokenFormat: "opaque" }]
})

describe("stdio", () => {
  layer(TestLayer)((it) => {
    it.effect("offers an HTTP server to a client that only speaks stdio, with a token it never sees", () =>
      Effect.gen(function* () {
        const authorizationServer = yield* startAuthorizationServer
        const upstream = yield* EchoServer.make({
          authorize: (header) =>
            header === undefined
              ? Effect.succeed(false)
              : Effect.map(
                  authorizationServer.verify(Redacted.value(header).replace("Bearer ", "")),
                  ({ active }) => active
                )
        })
        const client = yield* connect("remote", {
          servers: [entry("remote", upstream.url, authorizationServer.tokenEndpoint, { resource })]
        })
        const { tools } = yield* Effect.promise(() => client.listTools())
        assert.include(
          tools.map(({ name }) => name),
          "echo_auth_header"
        )
        const [first] = yield* upstream.requests
        const token = Redacted.value(first?.authorization ?? Redacted.make("")).replace("Bearer ", "")
        assert.strictEqual(yield* echo(client), `Received token: ${token.slice(0, 20)}...`)
        assert.lengthOf(yield* authorizationServer.tokenRequests, 1)
      })
    )

    // What `makeUpstreamFetch` runs logs to standard output: it does not inherit the loggers of its creator.
    it.effect("writes nothing but messages on standard output for an HTTP server", () =>
      Effect.gen(function* () {
        const stub = yield* StubAuthorizationServer.make()
        yield* stub.always("/token", Answer.token())
        yield* stub.always("/mcp", Answer.json({ jsonrpc: "2.0", id: 7, result: {} }))
        const config = yield* writeConfig({
          servers: [entry("remote", stub.endpoint("/mcp"), stub.endpoint("/token"))]
        })
        const { exitCode, stderr, stdout } = yield* runGateway(
          ["stdio", "remote", "--config", config],
          secretEnvironment,
          `${JSON.stringify({ jsonrpc: "2.0", id: 7, method: "ping" })}\n`
        )
        assert.strictEqual(exitCode, 0)
        assert.include(stderr, "Got a token")
        assert.deepStrictEqual(JSON.parse(stdout), { jsonrpc: "2.0", id: 7, result: {} })
      })
    )

    it.effect("starts a child with the token in its environment", () =>
      Effect.gen(function* () {
        const authorizationServer = yield* startAuthorizationServer
        const { oauth } = entry("child", "", authorizationServer.tokenEndpoint, { resource })
        const client = yield* connect("child", {
          servers: [{ server_name: "child", config: echoChild, oauth }]
        })
        assert.match(yield* echo(client), /^Received token: (?!No token)\S{20}\.\.\.$/)
        assert.lengthOf(yield* authorizationServer.tokenRequests, 1)
      })
    )

    it.effect("starts no child when it cannot get a token", () =>
      Effect.gen(function* () {
        const authorizationServer = yield* StubAuthorizationServer.make()
        yield* authorizationServer.always("/token", Answer.json({ error: "invalid_client" }, { status: 401 }))
        const { oauth } = entry("child", "", authorizationServer.endpoint("/token"))
        const child = { command: process.execPath, args: ["-e", "console.log('started')"] }
        const config = yield* writeConfig({ servers: [{ server_name: "child", config: child, oauth }] })
        const { exitCode, stderr, stdout } = yield* runGateway(
          ["stdio", "child", "-c", config],
          secretEnvironment
        )
        assert.strictEqual(exitCode, 1)
        assert.strictEqual(stdout, "")
        assert.include(stderr, 'Could not get an access token for server "child"')
      })
    )
  })
})
