import { assert, describe, it } from "@effect/vitest"
import { Answer, ProviderBehaviour, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"

const runExample = (environment: Readonly<Record<string, string>>) =>
  Effect.callback<{ readonly stdout: string; readonly stderr: string }>((resume) => {
    const cwd = resolve(import.meta.dirname, "..")
    const env = { ...process.env, ...environment }
    execFile(
      "npm",
      ["start", "--silent"],
      { cwd, env, shell: process.platform === "win32" },
      (_, stdout, stderr) => resume(Effect.succeed({ stdout, stderr }))
    )
  })

describe("the example of an agent with Effect", () => {
  it.live("the second run of the agent uses the token that the first one stored, encrypted", () =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      yield* server.always("/mcp", ProviderBehaviour.protectsResource())
      yield* server.always("/token", Answer.token({ access_token: "the-access-token", expires_in: 3600 }))
      const directory = yield* Effect.acquireRelease(
        Effect.promise(() => mkdtemp(join(tmpdir(), "effect-agent-"))),
        (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
      )
      const environment = {
        MCP_URL: server.endpoint("/mcp"),
        OAUTH_TOKEN_URL: server.endpoint("/token"),
        OAUTH_CLIENT_ID: "agent",
        OAUTH_CLIENT_SECRET: "the-client-secret",
        TOKEN_DIRECTORY: join(directory, "tokens")
      }
      for (const tokens of [1, 0]) {
        const { stderr, stdout } = yield* runExample(environment)
        assert.strictEqual(stderr, "")
        assert.match(stdout, new RegExp(`ping: HTTP 200\\ntools/list: HTTP 200\\nnew tokens: ${tokens}\\n$`))
        assert.notInclude(stdout, "the-access-token")
      }
      assert.lengthOf(yield* server.requestsTo("/token"), 1)
      const sent = (yield* server.requestsTo("/mcp")).map(({ headers }) => headers.authorization)
      assert.deepStrictEqual(new Set(sent), new Set(["Bearer the-access-token"]))
      const files = yield* Effect.promise(() => readdir(environment.TOKEN_DIRECTORY))
      const stored = files.filter((name) => name.endsWith(".token"))
      assert.lengthOf(stored, 1)
      const text = yield* Effect.promise(() =>
        readFile(join(environment.TOKEN_DIRECTORY, stored[0] ?? ""), "utf8")
      )
      assert.notInclude(text, "the-access-token")
    })
  )
})
