import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"

/** One HTTP request as the echo server received it. */
export interface ReceivedRequest {
  /** POST, GET or DELETE. */
  readonly httpMethod: string
  /** The method of the JSON-RPC message in the body, if the body is one message with a method. */
  readonly rpcMethod: string | undefined
  /** The whole Authorization header. */
  readonly authorization: Redacted.Redacted<string> | undefined
  /** The Mcp-Session-Id header; revisions from 2026-07-28 on have no sessions. */
  readonly sessionId: string | undefined
  /** The MCP-Protocol-Version header. */
  readonly protocolVersion: string | undefined
  /** The HTTP status it was answered with. */
  readonly status: number
}

const kept = 1000

/** Records the latest requests, and counts all of them. */
export const makeRequestRecorder = () => {
  const requests: Array<ReceivedRequest> = []
  const counts = new Map<string, number>()
  return {
    record: (request: ReceivedRequest) => {
      const name = request.rpcMethod ?? request.httpMethod
      counts.set(name, (counts.get(name) ?? 0) + 1)
      requests.push(request)
      if (requests.length > kept) requests.shift()
    },
    requests: Effect.sync((): ReadonlyArray<ReceivedRequest> => [...requests]),
    requestCounts: Effect.sync((): Readonly<Record<string, number>> => Object.fromEntries(counts))
  }
}
