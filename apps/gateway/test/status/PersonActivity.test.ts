import { assert, describe, it } from "@effect/vitest"
import { Answer, ProviderBehaviour } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { rpc, send } from "../http/RawHttp.ts"
import { startStubProvider } from "../login/StubProvider.ts"

const keys = { alice: "the-key-that-alice-holds", bob: "the-key-that-bob-has-himself" }

const bearer = (person: keyof typeof keys) => ({ authorization: `Bearer ${keys[person]}` })

const start = Effect.gen(function* () {
  const api_keys = Object.entries(keys).map(([subject, key]) => ({ subject, key }))
  const provider = yield* startStubProvider({}, {}, { api_keys })
  const { activity, mcp } = provider.gateway
  const askAs = (message: object, headers: Record<string, string> = {}) => {
    const request = rpc(message)
    return send(mcp("echo"), { ...request, headers: { ...request.headers, ...bearer("alice"), ...headers } })
  }
  const logIn = Effect.gen(function* () {
    const { url = "" } = yield* provider.call("ping", bearer("alice"))
    const callback = yield* provider.callbackOf(url)
    return yield* Effect.promise(() => fetch(callback.url, { headers: callback.headers }))
  })
  return { ...provider, of: (person: string) => activity.get("echo", person), askAs, logIn }
})

describe("what the gateway remembers of a person", () => {
  it.effect("each request of a person is a use of the server, with and without a grant", () =>
    Effect.gen(function* () {
      const { call, logIn, of } = yield* start
      yield* TestClock.setTime(1000)
      yield* call("ping", bearer("alice"))
      assert.strictEqual(of("alice").lastUseAt, 1000)
      yield* logIn
      yield* TestClock.setTime(2000)
      assert.isDefined((yield* call("ping", bearer("alice"))).token)
      assert.strictEqual(of("alice").lastUseAt, 2000)
      assert.isUndefined(of("bob").lastUseAt)
    })
  )

  it.effect("a request that is refused is no use", () =>
    Effect.gen(function* () {
      const { askAs, of } = yield* start
      const ping = { jsonrpc: "2.0", id: 1, method: "ping" }
      const refused = [{ authorization: "Bearer another-key-of-nobody" }, { origin: "https://evil.example" }]
      const answers = yield* Effect.forEach(refused, (headers) => askAs(ping, headers))
      assert.deepStrictEqual(
        answers.map(({ status }) => status),
        [401, 403]
      )
      assert.isUndefined(of("alice").lastUseAt)
    })
  )

  it.effect("a failed login is the person's last error until one succeeds", () =>
    Effect.gen(function* () {
      const { logIn, of, stub } = yield* start
      yield* stub.always("/token", Answer.json({ error: "invalid_grant" }, { status: 400 }))
      yield* logIn
      assert.strictEqual(of("alice").lastError?.reason, "RequestRefused")
      assert.isUndefined(of("bob").lastError)
      yield* stub.always("/token", yield* ProviderBehaviour.rotatesRefreshTokens)
      yield* logIn
      assert.isUndefined(of("alice").lastError)
    })
  )

  it.effect("the client that asks for a login is remembered by what it calls itself", () =>
    Effect.gen(function* () {
      const { askAs, of } = yield* start
      const initialize = {
        jsonrpc: "2.0",
        id: 1,
        method: "initialize",
        params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "Claude Code" } }
      }
      const call = {
        jsonrpc: "2.0",
        id: 1,
        method: "tools/list",
        params: {
          _meta: {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { name: "codex\u001b[31m", version: "1" }
          }
        }
      }
      yield* askAs(initialize, { "user-agent": "node" })
      assert.strictEqual(of("alice").askedBy, "Claude Code")
      yield* askAs(call, { "user-agent": "node" })
      assert.strictEqual(of("alice").askedBy, "codex [31m")
      yield* askAs({ jsonrpc: "2.0", id: 1, method: "ping" }, { "user-agent": "goose/1.2 (linux)" })
      assert.strictEqual(of("alice").askedBy, "goose")
      assert.isUndefined(of("bob").askedBy)
    })
  )
})
