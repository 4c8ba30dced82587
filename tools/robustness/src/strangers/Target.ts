import * as Effect from "effect/Effect"
import type { IncomingMessage } from "node:http"
import { call, ping } from "../clients/McpCall.ts"
import { startGateway } from "../process/GatewayProcess.ts"
import { machineEntry } from "../servers/Entries.ts"
import { startAuthorizationServer } from "../servers/AuthorizationServer.ts"
import { answerJson, bodyOf, listen } from "../servers/LoopbackServer.ts"

export const apiKey = "the-key-of-all-strangers"

/** A request as the MCP server got it. */
export interface Arrived {
  readonly head: IncomingMessage
  readonly body: string
}

/** A gateway with one server, `target`, behind it that remembers what arrives. */
export const startTarget = Effect.fnUntraced(function* (settings: object = {}) {
  const arrived: Array<Arrived> = []
  const mcp = yield* listen((head, response) => {
    void bodyOf(head).then(
      (body) => {
        arrived.push({ head, body: body.slice(0, 10_000) })
        return answerJson(response, 200, { jsonrpc: "2.0", id: 1, result: {} })
      },
      () => response.destroy()
    )
  })
  const authorizationServer = yield* startAuthorizationServer({ lifetime: 3600, grace: 0 })
  const gateway = yield* startGateway({
    gateway: { api_keys: [apiKey], ...settings },
    servers: [machineEntry("target", `${mcp.url}/mcp`, `${authorizationServer.url}/token`)]
  })
  const url = `${gateway.url}/servers/target/mcp`
  // Loads the modules and gets the token.
  yield* Effect.promise(() => call(url, { key: apiKey }))
  arrived.length = 0
  return { arrived, gateway, url, host: new URL(url).host }
})

export type Target = Effect.Success<ReturnType<typeof startTarget>>

/** Whether an honest client is served, and how long that takes in milliseconds. */
export const serveHonest = async ({ url }: Pick<Target, "url">) => {
  const { duration, status } = await call(url, { key: apiKey, body: ping })
  return { isServed: status === 200, duration }
}
