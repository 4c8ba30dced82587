import * as Effect from "effect/Effect"
import type { IncomingMessage } from "node:http"
import { answerJson, bodyOf, listen } from "./LoopbackServer.ts"

/** An MCP server that answers each request with an empty result, if its token is valid. */
export const startMcpServer = Effect.fnUntraced(function* (
  isValid: (accessToken: string) => boolean = () => true
) {
  const state = { requests: 0, refused: 0 }
  const server = yield* listen((request, response) => {
    state.requests += 1
    if (!isValid(tokenOf(request))) {
      state.refused += 1
      request.resume()
      return answerJson(response, 401, {}, { "www-authenticate": 'Bearer error="invalid_token"' })
    }
    return void bodyOf(request).then(
      (body) => answerJson(response, 200, { jsonrpc: "2.0", id: idOf(body), result: {} }),
      () => response.destroy()
    )
  })
  return { ...server, state, mcpUrl: `${server.url}/mcp` }
})

/** The bearer token of a request; empty without one. */
export const tokenOf = ({ headers }: IncomingMessage): string =>
  /^Bearer (.+)$/i.exec(headers.authorization ?? "")?.[1] ?? ""

const idOf = (body: string): number | null => {
  const [, id] = /"id":(\d+)/.exec(body) ?? []
  return id === undefined ? null : Number(id)
}
