import * as Duration from "effect/Duration"
import { errorCodes, errorResponse, type IdText } from "../jsonrpc/JsonRpc.ts"

/** Why a server gives no answer. */
export interface Unavailable {
  /** The end of a sentence that begins with the server's name (`exited with code 1`). It names no secret. */
  readonly how: string
  /** The HTTP status, where no response has begun. */
  readonly status: number
}

/** The connection has ended. */
export const hasEnded = (how: string): Unavailable => ({ how, status: 502 })

/** The client has ended its session, or the gateway ends. */
export const wasStopped: Unavailable = { how: "was stopped", status: 502 }

/** The server has not answered its first request in time. */
export const didNotStart = (startTimeout: Duration.Duration): Unavailable => ({
  how: `gave no answer within ${Duration.toSeconds(startTimeout)} seconds (\`start_timeout_seconds\`) and was stopped. If it needs longer to start, raise that value`,
  status: 504
})

/** The error for a request that gets no answer of the server, as text. */
export const unavailableResponse = (serverName: string, id: IdText, { how }: Unavailable): string =>
  errorResponse(id, errorCodes.serverUnavailable, `The MCP server "${serverName}" ${how}`)
