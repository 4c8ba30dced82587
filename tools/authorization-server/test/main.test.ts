import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { basic, postForm } from "./postForm.ts"

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url))

const resources = ["https://gw.example.com/servers/wiki/mcp", "https://gw.example.com/servers/notes/mcp"]

describe("the command", () => {
  it.effect("prints its issuer as its only line, serves several resources, and ends on SIGTERM", () =>
    Effect.gen(function* () {
      const child = yield* Effect.acquireRelease(
        Effect.sync(() =>
          spawn(
            process.execPath,
            [
              "--conditions=@secure-mcp/source",
              main,
              "--port",
              "0",
              ...resources.flatMap((uri) => ["--resource", uri])
            ],
            { stdio: ["ignore", "pipe", "inherit"] }
          )
        ),
        (child) => Effect.sync(() => child.kill("SIGKILL"))
      )
      const lines: Array<string> = []
      const reader = createInterface(child.stdout).on("line", (line) => lines.push(line))
      const exited = once(child, "exit")
      yield* Effect.promise(() => Promise.race([once(reader, "line"), exited]))
      for (const resource of resources) {
        const token = yield* postForm(
          `${lines[0]}/token`,
          { grant_type: "client_credentials", resource, scope: "mcp:read" },
          { authorization: basic("demo-client", "demo-secret") }
        )
        assert.strictEqual(token.status, 200)
      }
      child.kill("SIGTERM")
      yield* Effect.promise(() => exited)
      assert.deepStrictEqual(lines, [new URL(lines[0] ?? "").origin])
    })
  )
})
