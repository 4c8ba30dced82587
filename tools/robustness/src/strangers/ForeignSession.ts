import * as Effect from "effect/Effect"
import { type Attack, makeTally } from "../attack/Attack.ts"
import { call } from "../clients/McpCall.ts"
import { startGateway } from "../process/GatewayProcess.ts"
import { apiKeys, keyOf } from "../servers/Entries.ts"
import { answerJson, bodyOf, listen } from "../servers/LoopbackServer.ts"

const initialize = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "attack", version: "1" } }
})

export const foreignSession: Attack = {
  name: "foreign-session",
  tries:
    "another person's Mcp-Session-Id, with every method; through: the server gets it, or the answer is not 404",
  run: () =>
    Effect.gen(function* () {
      const tally = makeTally()
      const sessions = new Set<string>()
      const foreign: Array<string> = []
      const mcp = yield* listen((request, response) => {
        const session = [request.headers["mcp-session-id"]].flat()[0]
        if (session !== undefined) foreign.push(`${request.method} ${session}`)
        void bodyOf(request).then((body) => {
          if (session !== undefined && !sessions.has(session)) return answerJson(response, 404, {})
          const id = session ?? `session-${sessions.size + 1}`
          if (body.includes('"initialize"')) sessions.add(id)
          return answerJson(
            response,
            200,
            {
              jsonrpc: "2.0",
              id: 1,
              result: { protocolVersion: "2025-11-25", capabilities: {}, serverInfo: {} }
            },
            { "mcp-session-id": id }
          )
        })
      })
      const gateway = yield* startGateway({
        gateway: { api_keys: apiKeys(["alice", "mallory"]) },
        servers: [{ server_name: "notes", config: { url: `${mcp.url}/mcp` } }]
      })
      const url = `${gateway.url}/servers/notes/mcp`
      yield* Effect.promise(async () => {
        const begun = await call(url, { key: keyOf("alice"), body: initialize })
        const session = [begun.headers["mcp-session-id"]].flat()[0] ?? ""
        tally.expect(session !== "", `no session began: HTTP ${begun.status}`)
        const headers = { "mcp-session-id": session }
        foreign.length = 0
        for (const method of ["POST", "GET", "DELETE", "POST"]) {
          const { status } = await call(url, { key: keyOf("mallory"), headers, method, timeout: 3000 })
          tally.expect(status === 404, `${method} with another person's session: answered with ${status}`)
        }
        tally.expect(
          foreign.length === 0,
          `the server got another person's session (${foreign.length} times)`
        )
        const own = await call(url, { key: keyOf("alice"), headers })
        tally.expect(own.status === 200, `the person's own session is refused with ${own.status}`)
      })
      return tally.outcome()
    })
}
