import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { fixture, serveBridge, until } from "../bridge/bridgeServer.ts"
import { call, openSession } from "../bridge/httpCall.ts"

const token = "child-token-4b1e/9+c=="
const key = "-----BEGIN KEY-----\nfirst-line-of-key\nsecond-line-of-key\n-----END KEY-----"

const openLineServer = Effect.gen(function* () {
  const server = yield* serveBridge(
    Effect.succeed(fixture("lineServer", { ENKRYPT_ACCESS_TOKEN: token, PRIVATE_KEY: key, DEBUG: "1" }))
  )
  const { headers } = yield* openSession(server.url)
  const ask = Effect.fnUntraced(function* (method: string, params: object = {}) {
    const answers = yield* call(server.url, { headers, body: { jsonrpc: "2.0", id: 1, method, params } })
    return (yield* answers.next)?.result ?? {}
  })
  return { server, ask }
})

describe("the child process of a stdio server", () => {
  it.effect("a child process gets its own variables and few others, and no secret of the gateway", () =>
    Effect.gen(function* () {
      yield* Effect.acquireRelease(
        Effect.sync(() => (process.env["GATEWAY_CLIENT_SECRET"] = "gateway-secret")),
        () => Effect.sync(() => delete process.env["GATEWAY_CLIENT_SECRET"])
      )
      const { ask } = yield* openLineServer
      const environment: unknown = (yield* ask("environment"))["environment"]
      const names = Object.keys(Object(environment)).sort()
      const harmless = new Set(["HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER"])
      assert.deepStrictEqual(
        names.filter((name) => !harmless.has(name)),
        ["DEBUG", "ENKRYPT_ACCESS_TOKEN", "PRIVATE_KEY"]
      )
      assert.deepInclude(environment, { ENKRYPT_ACCESS_TOKEN: token, PRIVATE_KEY: key })
      assert.deepInclude(environment, { PATH: process.env["PATH"] })
    })
  )

  it.effect("the error output of a child process is logged without its secrets", () =>
    Effect.gen(function* () {
      const { ask, server } = yield* openLineServer
      const shapes = [
        token,
        encodeURIComponent(token),
        Buffer.from(token).toString("base64"),
        Buffer.from(token).toString("base64url"),
        Buffer.from(token).toString("hex")
      ]
      const lines = [
        ...shapes.map((shape) => `started with ${shape}, level 1`),
        ...key.split("\n"),
        "that was all"
      ]
      yield* ask("mumble", { lines })
      yield* until(() => server.logs.some((line) => line.includes("that was all")))
      const logs = server.logs.join("\n")
      for (const secret of [...shapes, "first-line-of-key", "second-line-of-key"])
        assert.notInclude(logs, secret)
      assert.include(logs, "started with <redacted>")
      assert.include(logs, "level 1")
    })
  )

  it.effect("output of a child process that is no message is ignored", () =>
    Effect.gen(function* () {
      const { ask, server } = yield* openLineServer
      assert.deepStrictEqual(yield* ask("emit", { lines: [`Welcome! ${token}`, "[]", ""] }), {})
      const logs = server.logs.join("\n")
      assert.include(logs, "Welcome! <redacted>")
      assert.notInclude(logs, token)
    })
  )
})
