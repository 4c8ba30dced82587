import { errorCodeOf, errorCodes, errorResponse, objectAt, type JsonRpcMessage } from "../jsonrpc/JsonRpc.ts"
import { declaredVersion } from "../jsonrpc/MirroredHeaders.ts"
import type { ClientIds } from "./IdTranslation.ts"

/** A request of a client, with its ids. */
export interface ClientRequest extends JsonRpcMessage {
  readonly ids: ClientIds
}

/** Whether a client asks which revisions the server has (MCP 2026-07-28, "Discovery"). */
export const isDiscovery = ({ json }: JsonRpcMessage): boolean => json["method"] === "server/discover"

/**
 * The error for a discovery in a revision that the server does not list. Over stdio a server may look at the revision of
 * its first request only, and then answer others with what it supports.
 */
export const unsupportedVersion = ({ json }: JsonRpcMessage, request: ClientRequest): string | undefined => {
  const supported = objectAt(json, "result")["supportedVersions"]
  const requested = declaredVersion(request.json)
  return isDiscovery(request) && Array.isArray(supported) && !supported.includes(requested)
    ? errorResponse(
        request.ids.id,
        errorCodes.unsupportedProtocolVersion,
        `Unsupported protocol version: ${requested}`,
        { supported, requested }
      )
    : undefined
}

/** The HTTP status for an answer (MCP 2026-07-28, Streamable HTTP, "Protocol Version Header"). */
export const statusOf = ({ json }: JsonRpcMessage, request: ClientRequest): number => {
  const code = errorCodeOf(json)
  if (code === undefined) return 200
  if (badRequestCodes.has(code) || isDiscovery(request)) return 400
  return code === errorCodes.methodNotFound ? 404 : 200
}

const badRequestCodes: ReadonlySet<number> = new Set([
  errorCodes.headerMismatch,
  errorCodes.missingClientCapability,
  errorCodes.unsupportedProtocolVersion
])

/**
 * The HTTP status for a request that the server does not answer. Every server of this revision answers
 * server/discover. At 400 without a code of this revision a client goes back to one with sessions ("Backward
 * Compatibility").
 */
export const statusUnanswered = (request: JsonRpcMessage, status: number): number =>
  isDiscovery(request) ? 400 : status
