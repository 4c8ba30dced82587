import { assert, describe, layer } from "@effect/vitest"
import { Answer, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { entry, secretEnvironment, serve } from "../cli/gatewayProcess.ts"
import { initialize, post, request } from "../cli/mcpMessages.ts"
import { TestLayer } from "../config/configFile.ts"

interface LogLine {
  readonly level: string
  readonly message: string
  readonly annotations: Readonly<Record<string, string>>
}

const linesOf = (stderr: string): ReadonlyArray<LogLine> =>
  stderr
    .trim()
    .split("\n")
    .map((line): LogLine => JSON.parse(line))

/** Writes a line of text to each output, and answers the first message with its id. */
const child = `
  console.error("a line of the child")
  process.stdin.once("data", (text) => {
    const { id } = JSON.parse(text)
    console.log(JSON.stringify({ jsonrpc: "2.0", id, result: {} }))
    setInterval(() => console.error("another line"), 100)
  })`

describe("the correlation id", () => {
  layer(TestLayer, { excludeTestServices: true })((it) => {
    it.effect(
      "everything that is logged while a request is served has the id that the client and the servers get",
      () =>
        Effect.gen(function* () {
          const server = yield* StubAuthorizationServer.make()
          yield* server.enqueue(
            "/token",
            Answer.token({ access_token: "first" }),
            Answer.token({ access_token: "second" })
          )
          yield* server.always("/token", Answer.json({ error: "invalid_request" }, { status: 400 }))
          yield* server.always("/mcp", Answer.json({}, { status: 401 }))
          const gateway = yield* serve(
            { servers: [entry("remote", server.endpoint("/mcp"), server.endpoint("/token"))] },
            ["--log-format", "json"],
            secretEnvironment
          )
          const failed = yield* post(gateway.url, "remote")
          const unknown = yield* post(gateway.url, "nobody")
          const foreign = yield* request(`${gateway.url}/healthz`, {
            headers: { origin: "https://evil.example" }
          })
          yield* gateway.signal("SIGTERM")
          const lines = linesOf((yield* gateway.finished).stderr)

          assert.strictEqual(foreign.status, 403)
          const idOf = ({ text }: { readonly text: string }): string =>
            JSON.parse(text).error.data.correlation_id
          const ids = [idOf(failed), idOf(unknown)]
          assert.strictEqual(new Set(ids).size, 2)
          assert.isAtLeast(lines.length, 5)
          for (const { annotations, message } of lines)
            assert.match(annotations["correlation_id"] ?? "", /^[\da-f-]{36}$/, message)
          const ofRequest = lines.filter(({ annotations }) => annotations["correlation_id"] === ids[0])
          assert.isAtLeast(ofRequest.length, 3, "two tokens and the refusal")
          assert.isTrue(ofRequest.every(({ annotations }) => annotations["server_name"] === "remote"))
          const sent = (yield* server.requests).filter(({ path }) => path === "/token")
          assert.deepStrictEqual(
            sent.map(({ headers }) => headers["x-correlation-id"]),
            sent.map(() => ids[0])
          )
        })
    )

    it.effect("what a child writes has no id of a request, because it serves many", () =>
      Effect.gen(function* () {
        const gateway = yield* serve(
          { servers: [{ server_name: "child", config: { command: process.execPath, args: ["-e", child] } }] },
          ["--log-format", "json"]
        )
        assert.strictEqual((yield* post(gateway.url, "child", initialize)).status, 200)
        yield* gateway.logged("another line")
        yield* gateway.signal("SIGTERM")
        const lines = linesOf((yield* gateway.finished).stderr).filter(({ message }) =>
          message.includes(" line")
        )
        assert.isAtLeast(lines.length, 2)
        for (const { annotations } of lines) assert.deepStrictEqual(annotations, { server_name: "child" })
      })
    )
  })
})
