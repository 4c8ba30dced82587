import { assert, describe, it } from "@effect/vitest"
import { Answer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { makeServers } from "./Servers.ts"

const folder = fileURLToPath(new URL("..", import.meta.url))

/** Runs a program with Node until it ends by itself, with the options of a client in OPTIONS. */
const runProgram = (program: string, options: unknown) =>
  Effect.promise(
    () =>
      new Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>(
        (resolve) => {
          const child = spawn(
            process.execPath,
            ["--conditions=@secure-mcp/source", "--expose-gc", "-e", program],
            {
              cwd: folder,
              env: { ...process.env, OPTIONS: JSON.stringify(options), NODE_OPTIONS: "" },
              timeout: 120_000
            }
          )
          let [stdout, stderr] = ["", ""]
          child.stdout.on("data", (chunk) => (stdout += chunk))
          child.stderr.on("data", (chunk) => (stderr += chunk))
          child.on("close", (code) => resolve({ code, stdout, stderr }))
        }
      )
  )

/** Writes how long the process lived after its last call, in milliseconds. */
const lifeAfter = `
  const ended = (text) => {
    const at = performance.now()
    process.on("exit", () => console.log(JSON.stringify({ text, after: performance.now() - at })))
  }`

const commonJs = `
  const { createOAuthClient } = require("@secure-mcp/oauth-client")
  const client = createOAuthClient(JSON.parse(process.env.OPTIONS))
  ${lifeAfter}`

const assertEndedAtOnce = (
  {
    code,
    stderr,
    stdout
  }: { readonly code: number | null; readonly stdout: string; readonly stderr: string },
  expected: string
) => {
  assert.deepStrictEqual([code, stderr], [0, ""])
  const { after, text } = JSON.parse(stdout)
  assert.strictEqual(text, expected)
  // An idle connection is closed after four seconds, a request after ten: neither is waited for.
  assert.isBelow(after, 3000)
}

describe("a process with a client", () => {
  it.live("a program of CommonJS with one call ends at once, and writes nothing else", () =>
    Effect.gen(function* () {
      const { options } = yield* makeServers
      const program = `${commonJs}; client.getAccessToken().then(ended)`
      assertEndedAtOnce(yield* runProgram(program, options), "token-1")
    })
  )

  it.live("a program of ES modules with fetch ends at once", () =>
    Effect.gen(function* () {
      const { options, server } = yield* makeServers
      yield* server.always("/mcp", Answer.text("welcome"))
      const program = `import("@secure-mcp/oauth-client").then(async ({ createOAuthClient }) => {
        const { serverUrl } = JSON.parse(process.env.OPTIONS)
        const client = createOAuthClient(JSON.parse(process.env.OPTIONS))
        const response = await client.fetch(serverUrl)
        ended(await response.text())
      }); ${lifeAfter}`
      assertEndedAtOnce(yield* runProgram(program, options), "welcome")
    })
  )

  it.live("a renewal in the background does not keep the process alive once it is done", () =>
    Effect.gen(function* () {
      const { options, server } = yield* makeServers
      // The clock of the program jumps to a time at which the token is to be renewed, and is still valid.
      const program = `
        const now = process.hrtime.bigint
        let passed = 0n
        process.hrtime.bigint = () => now() + passed
        ${commonJs}
        client.getAccessToken().then(() => {
          passed = 3_500_000_000_000n
          return client.getAccessToken()
        }).then(ended)`
      assertEndedAtOnce(yield* runProgram(program, options), "token-1")
      assert.lengthOf(yield* server.requests, 2)
    })
  )

  it.live(
    "a call that waits to try again keeps the process alive, and nothing is logged without a logger",
    () =>
      Effect.gen(function* () {
        const { options, server } = yield* makeServers
        yield* server.enqueue("/token", Answer.status(503))
        const program = `${commonJs}; client.getAccessToken().then(ended)`
        assertEndedAtOnce(yield* runProgram(program, options), "token-1")
        assert.lengthOf(yield* server.requests, 2)
      })
  )

  it.live("a signal ends an answer that is under way, also after memory was freed", () =>
    Effect.gen(function* () {
      const { options, server } = yield* makeServers
      const endless = Stream.concat(Stream.make("data: 1\n\n"), Stream.never)
      yield* server.always("/mcp", Answer.streamed(endless, { contentType: "text/event-stream" }))
      const program = `${commonJs}
        const controller = new AbortController()
        client.fetch(JSON.parse(process.env.OPTIONS).serverUrl, { signal: controller.signal }).then(async ({ body }) => {
          const reader = body.getReader()
          await reader.read()
          const second = reader.read()
          for (let times = 0; times < 5; times += 1) {
            gc()
            await new Promise((resolve) => setTimeout(resolve, 10))
          }
          controller.abort()
          await second.catch(({ name }) => ended(name))
        })`
      assertEndedAtOnce(yield* runProgram(program, options), "AbortError")
    })
  )
})
