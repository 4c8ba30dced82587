import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { spawn } from "node:child_process"
import { resolve } from "node:path"
import { makeTestServers } from "./TestServers.ts"

/** Runs the example until it ends by itself. A page that it shows is opened, as by a person who agrees. */
const runExample = (environment: Readonly<Record<string, string>>) =>
  Effect.callback<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>(
    (resume) => {
      const child = spawn("npm", ["start", "--silent"], {
        cwd: resolve(import.meta.dirname, ".."),
        env: { ...process.env, ...environment },
        shell: process.platform === "win32"
      })
      let [stdout, stderr] = ["", ""]
      let page: string | undefined
      child.stdout.on("data", (chunk) => (stdout += chunk))
      child.stderr.on("data", (chunk) => {
        stderr += chunk
        if (page !== undefined) return
        page = /^Log in at (\S+)\n/m.exec(stderr)?.[1]
        if (page !== undefined) fetch(page).catch((error: unknown) => (stderr += String(error)))
      })
      child.on("close", (code) => resume(Effect.succeed({ code, stdout, stderr })))
    }
  )

const makeDirectory = FileSystem.FileSystem.use((files) => files.makeTempDirectoryScoped()).pipe(
  Effect.provide(NodeFileSystem.layer)
)

describe("the example of an agent with the SDK", () => {
  it.live("an agent with a client of its own lists the tools and ends", () =>
    Effect.gen(function* () {
      const { authorizationServer, mcpUrl } = yield* makeTestServers
      const credentials = { OAUTH_CLIENT_ID: "agent", OAUTH_CLIENT_SECRET: "the-client-secret" }
      const { code, stderr, stdout } = yield* runExample({ MCP_URL: mcpUrl, ...credentials })
      assert.deepStrictEqual(
        { code, stderr, stdout },
        { code: 0, stderr: "", stdout: "forecast: Tomorrow's weather\n" }
      )
      const [request] = yield* authorizationServer.requestsTo("/token")
      assert.strictEqual(request?.form.get("grant_type"), "client_credentials")
    })
  )

  it.live("a person logs in once, and the next run needs no login", () =>
    Effect.gen(function* () {
      const { authorizationServer, mcpUrl } = yield* makeTestServers
      const environment = { MCP_URL: mcpUrl, TOKEN_DIRECTORY: yield* makeDirectory }
      const first = yield* runExample(environment)
      assert.deepInclude(first, { code: 0, stdout: "forecast: Tomorrow's weather\n" })
      assert.match(first.stderr, /^Log in at http:\S+\n$/)
      const second = yield* runExample(environment)
      assert.deepStrictEqual(second, { code: 0, stderr: "", stdout: "forecast: Tomorrow's weather\n" })
      assert.lengthOf(yield* authorizationServer.requestsTo("/authorize"), 1)
      assert.lengthOf(yield* authorizationServer.requestsTo("/register"), 1)
    })
  )
})
