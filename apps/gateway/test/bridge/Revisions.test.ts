import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { serveConnections } from "./bridgeServer.ts"
import { call, openSession } from "./httpCall.ts"
import { memoryServer } from "./memoryServer.ts"

const initialize = (protocolVersion: string) => ({
  jsonrpc: "2.0",
  id: 0,
  method: "initialize",
  params: { protocolVersion, capabilities: {}, clientInfo: { name: "test", version: "1" } }
})
const ping = { jsonrpc: "2.0", id: 1, method: "ping" }

/** A server that agrees to every revision. */
const agreeable = () =>
  memoryServer({
    onMessage: ({ id, params, text }, peer) => {
      if (id === undefined) return
      const version = /"protocolVersion":"([^"]*)"/.exec(text)?.[1]
      peer.send({ id, result: params === undefined ? {} : { protocolVersion: version, capabilities: {} } })
    }
  })

describe("revisions that the gateway does not know", () => {
  it.effect("a session has the revision that client and server agree on, whatever it is called", () =>
    Effect.gen(function* () {
      const server = yield* serveConnections(agreeable().connect)
      for (const version of ["2024-10-07", "2025-11-25", "2026-07-28", "2031-01-01", "DRAFT-2027-v1"]) {
        const begun = yield* call(server.url, {
          headers: { "mcp-protocol-version": version },
          body: initialize(version)
        })
        const [answer] = yield* begun.rest
        assert.strictEqual(answer?.result?.["protocolVersion"], version)
        const headers = {
          "mcp-session-id": begun.headers.get("mcp-session-id") ?? "",
          "mcp-protocol-version": version
        }
        const answered = yield* call(server.url, { headers, body: ping })
        assert.deepStrictEqual([answered.status, (yield* answered.next)?.id], [200, 1], version)
        const notified = yield* call(server.url, {
          headers,
          body: { jsonrpc: "2.0", method: "notifications/initialized" }
        })
        assert.strictEqual(notified.status, 202, version)
        assert.strictEqual((yield* call(server.url, { headers, method: "GET" })).status, 200, version)
        assert.strictEqual((yield* call(server.url, { headers, method: "DELETE" })).status, 204, version)
      }
    })
  )

  it.effect("`initialize` begins a new session, whatever session its headers name", () =>
    Effect.gen(function* () {
      const server = yield* serveConnections(agreeable().connect)
      const first = yield* openSession(server.url)
      for (const stale of ["gone", first.headers["mcp-session-id"]]) {
        const begun = yield* call(server.url, {
          headers: { "mcp-session-id": stale, "mcp-protocol-version": "2026-07-28" },
          body: initialize("2025-06-18")
        })
        assert.strictEqual(begun.status, 200)
        assert.notInclude(
          [null, "gone", first.headers["mcp-session-id"]],
          begun.headers.get("mcp-session-id")
        )
      }
      assert.strictEqual((yield* call(server.url, { headers: first.headers, body: ping })).status, 200)
    })
  )

  it.effect("outside a session, only a header of a revision since 2026-07-28 makes a request stateless", () =>
    Effect.gen(function* () {
      const server = yield* serveConnections(agreeable().connect)
      const messages = yield* Effect.forEach(
        ["2025-11-25", "2024-10-07", "latest", "2026-07-28", "2031-01-01"],
        (version) =>
          Effect.gen(function* () {
            const refused = yield* call(server.url, {
              headers: { "mcp-protocol-version": version },
              body: ping
            })
            assert.strictEqual(refused.status, 400)
            return (yield* refused.next)?.error?.message?.includes("Mcp-Session-Id")
          })
      )
      assert.deepStrictEqual(messages, [true, true, true, false, false])
    })
  )

  it.effect("a stateless revision of the future is passed on", () =>
    Effect.gen(function* () {
      const { connect, peers } = agreeable()
      const server = yield* serveConnections(connect)
      const answered = yield* call(server.url, {
        headers: { "mcp-protocol-version": "2031-01-01", "mcp-method": "tools/list" },
        body: {
          jsonrpc: "2.0",
          id: "a",
          method: "tools/list",
          params: { _meta: { "io.modelcontextprotocol/protocolVersion": "2031-01-01" } }
        }
      })
      assert.deepStrictEqual([answered.status, (yield* answered.next)?.id], [200, "a"])
      assert.include(peers[0]?.received[0]?.text, "2031-01-01")
    })
  )
})
