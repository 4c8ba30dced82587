import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { callTool, connectHttp, connectStdio, main, type Revision, revisions } from "./mcpClient.ts"

const run = (...args: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, ["--conditions=@secure-mcp/source", main, ...args], {
        stdio: ["pipe", "pipe", "inherit"]
      })
    ),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )

describe("echo-mcp-server", () => {
  describe.each(revisions)("stdio with a client of %s", (revision: Revision) => {
    it.effect("lists and calls its tools", () =>
      Effect.gen(function* () {
        const client = yield* connectStdio(revision, {
          ENKRYPT_ACCESS_TOKEN: "abcdefghijklmnopqrstuvwxyz"
        })
        assert.strictEqual(client.getNegotiatedProtocolVersion(), revision)
        const { tools } = yield* Effect.promise(() => client.listTools())
        assert.lengthOf(tools, 3)
        const { text } = yield* callTool(client, "echo_auth_header")
        assert.strictEqual(text, "Received token: abcdefghijklmnopqrst...")
        const counted = yield* callTool(client, "count_slowly", { steps: 2, delay_ms: 1 })
        assert.strictEqual(counted.text, "Counted to 2")
      })
    )

    it.effect("an empty token variable counts as no token", () =>
      Effect.gen(function* () {
        const client = yield* connectStdio(revision, { ENKRYPT_ACCESS_TOKEN: "" })
        const { text } = yield* callTool(client, "echo_auth_header")
        assert.strictEqual(text, "Received token: No token found...")
      })
    )
  })

  it.effect("writes nothing but protocol in stdio mode, and ends with its input", () =>
    Effect.gen(function* () {
      const child = yield* run("stdio")
      const lines: Array<string> = []
      const reader = createInterface(child.stdout).on("line", (line) => lines.push(line))
      const exited = once(child, "exit")
      child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id: 7, method: "ping" })}\n`)
      yield* Effect.promise(() => Promise.race([once(reader, "line"), exited]))
      child.stdin.end()
      const [code] = yield* Effect.promise(() => exited)
      assert.strictEqual(code, 0)
      assert.deepStrictEqual(
        lines.map((line) => JSON.parse(line)),
        [{ jsonrpc: "2.0", id: 7, result: {} }]
      )
    })
  )

  it.effect("prints its URL as its only line over HTTP, and ends on SIGTERM", () =>
    Effect.gen(function* () {
      const child = yield* run("http", "--port", "0")
      const lines: Array<string> = []
      const reader = createInterface(child.stdout).on("line", (line) => lines.push(line))
      const exited = once(child, "exit")
      yield* Effect.promise(() => Promise.race([once(reader, "line"), exited]))
      const { client } = yield* connectHttp(lines[0] ?? "", "2026-07-28", { authorization: "Bearer token" })
      assert.strictEqual((yield* callTool(client, "echo_auth_header")).text, "Received token: token...")
      child.kill("SIGTERM")
      yield* Effect.promise(() => exited)
      assert.lengthOf(lines, 1)
    })
  )

  it.effect("refuses requests without a token with --require-token", () =>
    Effect.gen(function* () {
      const child = yield* run("http", "--port", "0", "--require-token")
      const reader = createInterface(child.stdout)
      const [url] = yield* Effect.promise(() => once(reader, "line"))
      const refused = yield* Effect.promise(() => fetch(String(url), { method: "POST", body: "{}" }))
      assert.strictEqual(refused.status, 401)
      const { client } = yield* connectHttp(String(url), "2026-07-28", { authorization: "Bearer token" })
      assert.strictEqual((yield* callTool(client, "echo_auth_header")).text, "Received token: token...")
    })
  )
})
