import { assert, describe, it } from "@effect/vitest"
import { Answer, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { jwtVerify } from "jose"
import { execFile } from "node:child_process"
import { generateKeyPairSync } from "node:crypto"
import { resolve } from "node:path"

const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })

/** PKCS#1, as GitHub gives it. */
const pem = String(privateKey.export({ format: "pem", type: "pkcs1" }))

/** Ends after one exchange, with what the program printed. */
const runExample = (environment: Readonly<Record<string, string>>) =>
  Effect.callback<{ readonly code: number | string | null; readonly output: string }>((resume) => {
    const cwd = resolve(import.meta.dirname, "..")
    execFile(
      "npm",
      ["start", "--silent"],
      { cwd, env: { ...process.env, ...environment }, shell: process.platform === "win32" },
      (error, stdout, stderr) =>
        resume(Effect.succeed({ code: error === null ? 0 : (error.code ?? null), output: stdout + stderr }))
    )
  })

describe("the example of an own grant", () => {
  it.live("the example gets one installation token and sends two requests with it", () =>
    Effect.gen(function* () {
      const github = yield* StubAuthorizationServer.make()
      const mcp = yield* StubAuthorizationServer.make()
      const token = "ghs_stub-installation-token"
      const expiresAt = new Date(Date.now() + 3_600_000).toISOString()
      yield* github.always(
        "/app/installations/7/access_tokens",
        Answer.json({ token, expires_at: expiresAt, permissions: { contents: "read" } }, { status: 201 })
      )
      yield* mcp.always("/mcp", Answer.json({ jsonrpc: "2.0", id: 1, result: {} }))
      const { code, output } = yield* runExample({
        GITHUB_API_URL: github.url,
        GITHUB_APP_ID: "42",
        GITHUB_INSTALLATION_ID: "7",
        GITHUB_APP_PRIVATE_KEY: pem,
        MCP_URL: mcp.endpoint("/mcp")
      })
      assert.strictEqual(code, 0, output)
      assert.notInclude(output, token)
      const [asked, ...others] = yield* github.requests
      assert.deepStrictEqual([asked?.method, others.length], ["POST", 0])
      const jwt = asked?.headers["authorization"]?.replace("Bearer ", "") ?? ""
      const { payload } = yield* Effect.promise(() =>
        jwtVerify(jwt, publicKey, { issuer: "42", algorithms: ["RS256"] })
      )
      assert.isAtMost(Number(payload.exp) - Number(payload.iat), 600)
      assert.deepStrictEqual(
        (yield* mcp.requests).map(({ headers }) => headers["authorization"]),
        [`Bearer ${token}`, `Bearer ${token}`]
      )
    })
  )

  it.live("the example sends no token over http to another machine", () =>
    Effect.gen(function* () {
      const { code, output } = yield* runExample({
        GITHUB_API_URL: "http://127.0.0.1:1",
        GITHUB_APP_ID: "42",
        GITHUB_INSTALLATION_ID: "7",
        GITHUB_APP_PRIVATE_KEY: pem,
        MCP_URL: "http://mcp.example/mcp"
      })
      assert.notStrictEqual(code, 0)
      assert.include(output, "MCP_URL must be https")
    })
  )

  it.live("a variable that is missing is named, and a key is not shown", () =>
    Effect.gen(function* () {
      const { code, output } = yield* runExample({
        GITHUB_APP_ID: "42",
        GITHUB_INSTALLATION_ID: "",
        GITHUB_APP_PRIVATE_KEY: pem,
        MCP_URL: "http://127.0.0.1:1/mcp"
      })
      assert.notStrictEqual(code, 0)
      assert.include(output, "GITHUB_INSTALLATION_ID")
      assert.notInclude(output, pem.split("\n")[1] ?? "")
    })
  )
})
