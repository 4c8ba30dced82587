import { EchoServer } from "@secure-mcp/echo-server"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import { connect, echo, revisions } from "../http/McpClient.ts"
import { open, rpc, send } from "../http/RawHttp.ts"
import { oauthAt, startAuthorizationServer, startGateway } from "../http/RunningGateway.ts"

/** The real parts: an OpenID provider, the echo server, and the gateway between them. */
const startAll = Effect.gen(function* () {
  const authorizationServer = yield* startAuthorizationServer
  const echoServer = yield* EchoServer.make()
  const gateway = yield* startGateway({
    servers: [
      {
        server_name: "echo",
        config: { url: echoServer.url, transport: "http" },
        oauth: oauthAt(authorizationServer.tokenEndpoint)
      }
    ]
  })
  const tokensReceived = Effect.map(echoServer.requests, (requests) =>
    requests.map(
      ({ authorization }) => authorization && Redacted.value(authorization).slice("Bearer ".length)
    )
  )
  return { authorizationServer, echoServer, tokensReceived, url: gateway.mcp("echo") }
})

describe.each(revisions)("the gateway and a client of %s", (revision) => {
  it.effect("a client lists and calls tools with a token that it never sees", () =>
    Effect.gen(function* () {
      const { authorizationServer, echoServer, tokensReceived, url } = yield* startAll
      const { client } = yield* connect(url, revision)
      assert.strictEqual(client.getNegotiatedProtocolVersion(), revision)
      const { tools } = yield* Effect.promise(() => client.listTools())
      assert.deepStrictEqual(
        tools.map(({ name }) => name),
        ["echo_auth_header", "echo_subject", "count_slowly"]
      )
      const text = yield* echo(client)
      const [token = "", ...others] = new Set(yield* tokensReceived)
      assert.isEmpty(others)
      assert.strictEqual(text, `Received token: ${token.slice(0, 20)}...`)
      assert.deepInclude(yield* authorizationServer.verify(token), { active: true, scope: "mcp:read" })
      const call = (yield* echoServer.requests).find(({ rpcMethod }) => rpcMethod === "tools/call")
      assert.strictEqual(call?.protocolVersion, revision)
      assert.strictEqual(call?.sessionId !== undefined, revision === "2025-11-25")
    })
  )

  it.effect("a client receives progress before the result", () =>
    Effect.gen(function* () {
      const { url } = yield* startAll
      const { client } = yield* connect(url, revision)
      const steps: Array<number> = []
      const result = yield* Effect.promise(() =>
        client.callTool(
          { name: "count_slowly", arguments: { steps: 2, delay_ms: 60_000 } },
          { onprogress: ({ progress }) => steps.push(progress) }
        )
      ).pipe(
        // The tool waits for a clock that stands still until its first step has come through.
        Effect.raceFirst(
          Effect.promise(() => new Promise(setImmediate)).pipe(
            Effect.andThen(
              Effect.suspend(() => (steps.length > 0 ? TestClock.adjust("1 minute") : Effect.void))
            ),
            Effect.forever
          )
        )
      )
      assert.deepStrictEqual(steps, [1, 2])
      assert.deepStrictEqual(result.content, [{ type: "text", text: "Counted to 2" }])
    })
  )

  it.effect("twenty simultaneous clients cause one token request", () =>
    Effect.gen(function* () {
      const { authorizationServer, tokensReceived, url } = yield* startAll
      const texts = yield* Effect.all(
        Array.from({ length: 20 }, () =>
          Effect.flatMap(connect(url, revision), ({ client }) => echo(client))
        ),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(new Set(texts).size, 1)
      assert.lengthOf([...new Set(yield* tokensReceived)], 1)
      assert.lengthOf(yield* authorizationServer.tokenRequests, 1)
    })
  )
})

describe("a session through the gateway", () => {
  const initialize = rpc({
    jsonrpc: "2.0",
    id: 1,
    method: "initialize",
    params: {
      protocolVersion: "2025-11-25",
      capabilities: {},
      clientInfo: { name: "gateway-test", version: "1.0.0" }
    }
  })

  it.effect("a session opens its event stream at once, before there is an event, and ends with DELETE", () =>
    Effect.gen(function* () {
      const { url } = yield* startAll
      const opened = yield* send(url, initialize)
      const headers = {
        accept: "text/event-stream",
        "mcp-session-id": String(opened.headers["mcp-session-id"]),
        "mcp-protocol-version": "2025-11-25"
      }
      const stream = yield* Effect.promise(() => open(url, { headers }))
      assert.strictEqual(stream.statusCode, 200)
      assert.strictEqual(stream.headers["content-type"], "text/event-stream")
      stream.destroy()

      assert.strictEqual((yield* send(url, { method: "DELETE", headers })).status, 200)
      assert.strictEqual((yield* send(url, { headers })).status, 404)
    })
  )
})
