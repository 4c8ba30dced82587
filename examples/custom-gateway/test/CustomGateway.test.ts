import { assert, describe, it } from "@effect/vitest"
import { Answer, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"

/** Starts the example in a folder of its own, and gives the URL that it prints. Ends with the scope. */
const startExample = Effect.fnUntraced(function* (config: unknown) {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "custom-gateway-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  writeFileSync(join(directory, "gateway.json"), JSON.stringify(config))
  const main = resolve(import.meta.dirname, "../src/main.ts")
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, ["--conditions=@secure-mcp/source", main], { cwd: directory, stdio: "pipe" })
    ),
    (running) =>
      Effect.callback<void>((done) => {
        if (running.exitCode !== null) return done(Effect.void)
        running.once("exit", () => done(Effect.void))
        running.kill()
      })
  )
  const url = yield* Effect.callback<string>((found) => {
    let output = ""
    const read = (piece: Buffer) => {
      output += piece.toString()
      const [printed] = /http:\/\/127\.0\.0\.1:\d+/.exec(output) ?? []
      if (printed !== undefined) found(Effect.succeed(printed))
    }
    child.stdout.on("data", read)
    child.stderr.on("data", read)
    child.once("exit", () => found(Effect.die(output)))
  })
  return { directory, url }
})

const request = (url: string, init: RequestInit = {}) =>
  Effect.promise(async () => {
    const response = await fetch(url, init)
    return { status: response.status, body: await response.text() }
  })

describe("the example of a gateway of one's own", () => {
  it.live("the custom gateway has its own store, transport, route and access rule", () =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      const mcp = yield* StubAuthorizationServer.make()
      yield* server.always("/token", Answer.token({ access_token: "custom-token", expires_in: 3600 }))
      yield* mcp.always("/mcp", Answer.json({ jsonrpc: "2.0", id: 1, result: {} }))
      const { directory, url } = yield* startExample({
        gateway: { port: 0 },
        servers: [
          {
            server_name: "remote",
            config: { url: mcp.endpoint("/mcp") },
            oauth: {
              enabled: true,
              token_url: server.endpoint("/token"),
              client_id: "client",
              client_secret: "secret",
              enforce_https: false
            }
          }
        ]
      })
      const team = { "x-team": "platform" }
      assert.deepInclude(yield* request(`${url}/whoami`), {
        status: 403,
        body: "Name your team in the header X-Team\n"
      })
      assert.deepStrictEqual(yield* request(`${url}/whoami`, { headers: team }), {
        status: 200,
        body: "anyone"
      })
      const call = {
        method: "POST",
        headers: {
          ...team,
          "content-type": "application/json",
          accept: "application/json, text/event-stream"
        },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" })
      }
      assert.strictEqual((yield* request(`${url}/servers/remote/mcp`, call)).status, 200)
      const { "x-team": _, ...nameless } = call.headers
      assert.strictEqual(
        (yield* request(`${url}/servers/remote/mcp`, { ...call, headers: nameless })).status,
        403
      )
      const [passed] = yield* mcp.requests
      assert.strictEqual(passed?.headers["authorization"], "Bearer custom-token")
      assert.isTrue(existsSync(join(directory, "tokens.db")))
      assert.include(
        (yield* request(`${url}/metrics`, { headers: team })).body,
        'mcp_oauth_token_acquisitions_success_total{server="remote"} 1'
      )
    })
  )
})
