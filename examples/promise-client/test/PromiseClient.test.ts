import { assert, describe, it } from "@effect/vitest"
import { Answer, ProviderBehaviour, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { resolve } from "node:path"

/** Runs the example until it ends by itself. */
const runExample = (environment: Readonly<Record<string, string>>) =>
  Effect.callback<{
    readonly code: number | string | null
    readonly stdout: string
    readonly stderr: string
  }>((resume) => {
    const cwd = resolve(import.meta.dirname, "..")
    const env = { ...process.env, ...environment }
    const shell = process.platform === "win32"
    execFile("npm", ["start", "--silent"], { cwd, env, shell }, (error, stdout, stderr) =>
      resume(Effect.succeed({ code: error === null ? 0 : (error.code ?? null), stdout, stderr }))
    )
  })

const makeServer = Effect.gen(function* () {
  const server = yield* StubAuthorizationServer.make()
  yield* server.always("/mcp", ProviderBehaviour.protectsResource())
  const environment = {
    MCP_URL: server.endpoint("/mcp"),
    OAUTH_TOKEN_URL: server.endpoint("/token"),
    OAUTH_CLIENT_ID: "agent",
    OAUTH_CLIENT_SECRET: "the-client-secret"
  }
  return { environment, server }
})

describe("the example of a Promise client", () => {
  it.live("the example sends two requests with one token, which it does not print, and ends", () =>
    Effect.gen(function* () {
      const { environment, server } = yield* makeServer
      yield* server.always("/token", Answer.token({ access_token: "the-access-token", expires_in: 3600 }))
      const { code, stderr, stdout } = yield* runExample(environment)
      assert.deepStrictEqual([code, stderr], [0, ""])
      assert.match(stdout, /^a token, after \d+ ms\nping: HTTP 200\ntools\/list: HTTP 200\ntokens: 1\n$/)
      const sent = (yield* server.requestsTo("/mcp")).map(({ headers }) => headers.authorization)
      assert.deepStrictEqual(sent, ["Bearer the-access-token", "Bearer the-access-token"])
    })
  )

  it.live("the example says why there is no token", () =>
    Effect.gen(function* () {
      const { environment, server } = yield* makeServer
      yield* server.always("/token", Answer.json({ error: "invalid_client" }, { status: 401 }))
      const { code, stderr } = yield* runExample(environment)
      assert.strictEqual(code, 1)
      assert.match(stderr, /^RequestRefused: /)
      assert.notInclude(stderr, "the-client-secret")
    })
  )
})
