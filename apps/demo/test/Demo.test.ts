import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../..", import.meta.url))

/** `npm run demo`, as a visitor types it. */
const runDemo = Effect.acquireUseRelease(
  Effect.sync(() =>
    spawn("npm", ["run", "--silent", "demo"], {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      detached: true
    })
  ),
  (child) =>
    Effect.promise(async () => {
      const said = { stdout: "", stderr: "" }
      child.stdout.setEncoding("utf8").on("data", (text: string) => (said.stdout += text))
      child.stderr.setEncoding("utf8").on("data", (text: string) => (said.stderr += text))
      const [exitCode] = await once(child, "close")
      return { exitCode, ...said }
    }),
  (child) =>
    Effect.sync(() => (child.exitCode === null && child.pid !== undefined ? process.kill(-child.pid) : true))
)

describe("npm run demo", () => {
  it.effect("npm run demo tells the life of a token, every step of it, and exits with 0", () =>
    Effect.gen(function* () {
      const { exitCode, stderr, stdout } = yield* runDemo
      assert.strictEqual(exitCode, 0, stderr)
      const headlines = [
        "Token acquired",
        "Echoed over HTTP",
        "From the cache",
        "Echoed over stdio",
        "Forced refresh",
        "Token refused",
        "Outage survived",
        "Metrics",
        "Every step was as it should be."
      ]
      const places = headlines.map((headline) => stdout.indexOf(headline))
      assert.notInclude(places, -1, stdout)
      assert.deepStrictEqual(
        places,
        [...places].sort((a, b) => a - b),
        "in this order"
      )
      assert.match(stdout, /Received token: (?!No token)\S{20}\.\.\./)
      assert.match(stdout, /token_acquisitions_failure\s+0\n/)
      assert.notInclude(stdout + stderr, "a-secret-of-the-demo")
    })
  )
})
