import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { EchoServer } from "@secure-mcp/echo-server"
import { callTool, connectHttp, type Revision, revisions } from "./mcpClient.ts"

const token = "abcdefghijklmnopqrstuvwxyz"
const echoed = "Received token: abcdefghijklmnopqrst..."

const bearer = (value: string) => ({ authorization: `Bearer ${value}` })

const listTools = { method: "tools/list" }

const initialize = {
  method: "initialize",
  params: {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "echo-server-test", version: "1.0.0" }
  }
}

const post = (url: string, headers: Record<string, string> = {}, message: object = listTools) =>
  Effect.promise(() =>
    fetch(url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        ...headers
      },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, ...message })
    })
  )

describe.each(revisions)("EchoServer with a client of %s", (revision: Revision) => {
  it.effect("lists its tools with descriptions and a schema", () =>
    Effect.gen(function* () {
      const server = yield* EchoServer.make()
      const { client } = yield* connectHttp(server.url, revision)
      assert.strictEqual(client.getNegotiatedProtocolVersion(), revision)
      const { tools } = yield* Effect.promise(() => client.listTools())
      assert.deepStrictEqual(
        tools.map((tool) => tool.name),
        ["echo_auth_header", "echo_subject", "count_slowly"]
      )
      assert.deepStrictEqual(tools[2]?.inputSchema.required, ["steps", "delay_ms"])
    })
  )

  it.effect("echoes the token of the current request", () =>
    Effect.gen(function* () {
      const server = yield* EchoServer.make()
      const headers = { authorization: "Bearer the-token-of-the-handshake" }
      const { client } = yield* connectHttp(server.url, revision, headers)
      // The transport sends this object with every request, so the next call carries another token.
      headers.authorization = `bearer ${token}`
      assert.strictEqual((yield* callTool(client, "echo_auth_header")).text, echoed)
      headers.authorization = "Bearer short"
      assert.strictEqual((yield* callTool(client, "echo_auth_header")).text, "Received token: short...")
    })
  )

  it.effect("says whom a token names", () =>
    Effect.gen(function* () {
      const server = yield* EchoServer.make()
      const headers = { authorization: "" }
      const { client } = yield* connectHttp(server.url, revision, headers)
      const subjectOf = (claims: string) =>
        Effect.suspend(() => {
          headers.authorization = `Bearer e30.${Buffer.from(claims).toString("base64url")}.x`
          return Effect.map(callTool(client, "echo_subject"), ({ text }) => text)
        })
      assert.strictEqual(yield* subjectOf('{"sub":"ada"}'), "Subject: ada")
      for (const claims of ["{}", '{"sub":1}', "[]", "no JSON"])
        assert.strictEqual(yield* subjectOf(claims), "Subject: The token names nobody")
      headers.authorization = "Bearer opaque"
      assert.strictEqual((yield* callTool(client, "echo_subject")).text, "Subject: The token names nobody")
      headers.authorization = ""
      assert.strictEqual((yield* callTool(client, "echo_subject")).text, "Subject: No token found")
    })
  )

  it.effect("says so when there is no token", () =>
    Effect.gen(function* () {
      const server = yield* EchoServer.make()
      const { client } = yield* connectHttp(server.url, revision)
      const { text } = yield* callTool(client, "echo_auth_header")
      assert.strictEqual(text, "Received token: No token found...")
    })
  )

  it.effect("streams every step while count_slowly runs", () =>
    Effect.gen(function* () {
      const server = yield* EchoServer.make()
      const { client } = yield* connectHttp(server.url, revision)
      // After the first step the tool waits for a clock that stands still: only a stream gets here.
      const firstStep = yield* Effect.promise(
        () =>
          new Promise((resolve, reject) => {
            client
              .callTool(
                { name: "count_slowly", arguments: { steps: 2, delay_ms: 60_000 } },
                { onprogress: resolve }
              )
              .catch(reject)
          })
      )
      assert.deepInclude(firstStep, { progress: 1, total: 2, message: "Step 1 of 2" })
    })
  )

  it.live("counts to the end, in order", () =>
    Effect.gen(function* () {
      const server = yield* EchoServer.make()
      const { client } = yield* connectHttp(server.url, revision)
      const steps: Array<number> = []
      const result = yield* Effect.promise(() =>
        client.callTool(
          { name: "count_slowly", arguments: { steps: 3, delay_ms: 1 } },
          { onprogress: ({ progress }) => steps.push(progress) }
        )
      )
      assert.deepStrictEqual(steps, [1, 2, 3])
      assert.deepStrictEqual(result.content, [{ type: "text", text: "Counted to 3" }])
    })
  )

  it.effect("refuses arguments outside the schema", () =>
    Effect.gen(function* () {
      const server = yield* EchoServer.make()
      const { client } = yield* connectHttp(server.url, revision)
      const outcome = yield* Effect.promise(() =>
        client.callTool({ name: "count_slowly", arguments: { steps: 0, delay_ms: 0 } }).then(
          (result) => (result.isError === true ? "refused" : "accepted"),
          () => "refused"
        )
      )
      assert.strictEqual(outcome, "refused")
    })
  )

  it.effect("remembers what it received", () =>
    Effect.gen(function* () {
      const server = yield* EchoServer.make()
      const { client } = yield* connectHttp(server.url, revision, bearer(token))
      yield* callTool(client, "echo_auth_header")
      yield* callTool(client, "echo_auth_header")
      assert.strictEqual((yield* server.requestCounts)["tools/call"], 2)
      const last = (yield* server.requests).findLast((request) => request.rpcMethod === "tools/call")
      assert.deepInclude(last, { httpMethod: "POST", protocolVersion: revision, status: 200 })
      assert.strictEqual(last?.authorization && Redacted.value(last.authorization), `Bearer ${token}`)
      assert.strictEqual(last?.sessionId !== undefined, revision === "2025-11-25")
    })
  )
})

describe("EchoServer", () => {
  // The stream itself stays silent until its first keep-alive, after 15 seconds.
  it.effect(
    "opens the event stream of a session at once",
    () =>
      Effect.gen(function* () {
        const server = yield* EchoServer.make()
        const opened = yield* post(server.url, {}, initialize)
        const stream = yield* Effect.promise(() =>
          fetch(server.url, {
            headers: {
              accept: "text/event-stream",
              "mcp-session-id": opened.headers.get("mcp-session-id") ?? ""
            }
          })
        )
        assert.strictEqual(stream.status, 200)
        assert.strictEqual(stream.headers.get("content-type"), "text/event-stream")
      }),
    10_000
  )

  it.effect("forgets a session when it is deleted", () =>
    Effect.gen(function* () {
      const server = yield* EchoServer.make()
      const { transport } = yield* connectHttp(server.url, "2025-11-25")
      const session = { "mcp-session-id": transport.sessionId ?? "" }
      assert.strictEqual((yield* post(server.url, session)).status, 200)
      yield* Effect.promise(() => transport.terminateSession())
      assert.strictEqual((yield* post(server.url, session)).status, 404)
    })
  )

  it.effect("refuses with a challenge, and asks again for every request", () =>
    Effect.gen(function* () {
      let good = token
      const server = yield* EchoServer.make({
        authorize: (authorization) =>
          Effect.sync(
            () => authorization !== undefined && Redacted.value(authorization) === `Bearer ${good}`
          ),
        resourceMetadata: "https://mcp.example.com/.well-known/oauth-protected-resource"
      })
      const { client } = yield* connectHttp(server.url, "2026-07-28", bearer(token))
      assert.strictEqual((yield* callTool(client, "echo_auth_header")).text, echoed)

      good = "another token"
      const refused = yield* post(server.url, bearer(token))
      assert.strictEqual(refused.status, 401)
      assert.strictEqual(
        refused.headers.get("www-authenticate"),
        `Bearer error="invalid_token", error_description="The access token was refused", resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource"`
      )
      const anonymous = yield* post(server.url)
      assert.strictEqual(
        anonymous.headers.get("www-authenticate"),
        `Bearer resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource"`
      )
      assert.strictEqual((yield* server.requestCounts)["tools/list"], 2)
      assert.strictEqual((yield* server.requests).at(-1)?.status, 401)
    })
  )

  it.effect("keeps foreign hosts, foreign origins and other paths out", () =>
    Effect.gen(function* () {
      const server = yield* EchoServer.make()
      assert.strictEqual((yield* post(server.url, { origin: "https://evil.example.com" })).status, 403)
      assert.strictEqual((yield* post(server.url.replace("/mcp", "/other"))).status, 404)
    })
  )

  it.effect("cuts a running stream when its scope closes", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const server = yield* Scope.provide(EchoServer.make(), scope)
      const { headers } = yield* post(server.url, {}, initialize)
      const stream = yield* post(
        server.url,
        { "mcp-session-id": headers.get("mcp-session-id") ?? "" },
        { method: "tools/call", params: { name: "count_slowly", arguments: { steps: 2, delay_ms: 60_000 } } }
      )
      const reader = (stream.body ?? assert.fail("no body")).getReader()
      yield* Effect.promise(async () => {
        let received = ""
        while (!received.includes("Step 1 of 2"))
          received += new TextDecoder().decode((await reader.read()).value)
      })

      yield* Scope.close(scope, Exit.void)
      const rest = yield* Effect.promise(() =>
        reader.read().then(
          () => "more",
          () => "cut"
        )
      )
      assert.strictEqual(rest, "cut")
    })
  )

  it.effect("says why it cannot start", () =>
    Effect.gen(function* () {
      const running = yield* EchoServer.make()
      const port = Number(new URL(running.url).port)
      assert.strictEqual((yield* Effect.flip(EchoServer.make({ port }))).reason, "Listen")
      const tls = { key: Redacted.make("no"), cert: "PEM" }
      assert.strictEqual((yield* Effect.flip(EchoServer.make({ tls }))).reason, "Tls")
    })
  )
})
