import { createMCPClient } from "@ai-sdk/mcp"
import { assert, describe, it } from "@effect/vitest"
import { Answer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { makeClient, makeServers } from "../Servers.ts"
import { makeProtectedServer } from "./ProtectedServer.ts"

describe("the MCP client of the AI SDK", () => {
  it.live("the AI SDK takes the fetch of a client, and a revoked token is replaced", () =>
    Effect.gen(function* () {
      const { options, server } = yield* makeServers
      yield* server.enqueue("/token", Answer.token({ access_token: "first", expires_in: 3600 }))
      const valid = new Set(["first"])
      const mcp = yield* makeProtectedServer((token) => (valid.has(token) ? { scope: [] } : undefined))
      const client = yield* makeClient({ ...options, serverUrl: mcp.url })
      const transport = { type: "http", url: mcp.url, fetch: client.fetch } as const
      const agent = yield* Effect.acquireRelease(
        Effect.promise(() => createMCPClient({ transport })),
        (connected) => Effect.promise(() => connected.close())
      )
      assert.deepStrictEqual(Object.keys(yield* Effect.promise(() => agent.tools())), ["whoami"])
      valid.delete("first")
      valid.add("token-1")
      assert.deepStrictEqual(Object.keys(yield* Effect.promise(() => agent.tools())), ["whoami"])
      assert.deepStrictEqual(mcp.refused, [401])
      assert.lengthOf(yield* server.requestsTo("/token"), 2)
    })
  )
})
