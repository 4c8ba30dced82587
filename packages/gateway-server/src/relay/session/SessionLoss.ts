import { sayingOf } from "../../fetch/AnswerBody.ts"
import type { UpstreamFailed } from "../../fetch/Fetch.ts"
import { errorCodeOf, errorCodes, isJsonObject, parseJson } from "../../jsonrpc/JsonRpc.ts"

/**
 * Whether a server that refuses a request has forgotten the session.
 *
 * - `Lost`: it has (MCP 2025-11-25, "Session Management").
 * - `Doubtful`: it may have, or the request itself is wrong. A `ping` tells.
 * - `Other`: the refusal is about something else.
 *
 * Many servers answer 400 where the specification says 404: "No valid session ID provided", "Invalid or missing
 * session ID", "Unknown Mcp-Session-Id header", "Server not initialized". Some answer 401 ("Unauthorized: Session not found",
 * the Rust SDK until 2026) or 403.
 *
 * @param hasId whether the session has an id, so that the request named it
 */
export const judgeRefusal = (failure: UpstreamFailed, hasId: boolean): "Lost" | "Doubtful" | "Other" => {
  const { body = "", kind, status } = failure
  if (kind !== "Refused" || status === undefined) return "Other"
  if (hasId && (status === 404 || status === 410)) return isAboutMessage(body) ? "Doubtful" : "Lost"
  if (!doubtful.has(status)) return "Other"
  if (hasId && status === 400 && body.trim() === "") return "Doubtful"
  return aboutSession.test(sayingOf(body) ?? body.slice(0, 1000)) ? "Doubtful" : "Other"
}

const doubtful: ReadonlySet<number> = new Set([400, 401, 403, 404])

const aboutSession = /session|not (?:been |yet )?initiali[sz]ed/i

/** Some servers answer an unknown method or resource with 404. */
const isAboutMessage = (body: string): boolean => {
  const json = parseJson(body)
  const code = isJsonObject(json) ? errorCodeOf(json) : undefined
  return code !== undefined && aboutMessage.has(code)
}

/** -32002 is MCP's "resource not found". */
const aboutMessage: ReadonlySet<number> = new Set([
  errorCodes.methodNotFound,
  errorCodes.invalidParams,
  -32002
])
