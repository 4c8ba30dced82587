import type { IncomingMessage } from "node:http"
import type { Socket } from "node:net"
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import type { GatewayFailure } from "./GatewayFailure.ts"

/** Says why a request to an MCP server is refused before its body is read, if it is. */
export class RequestRefusals extends Context.Service<
  RequestRefusals,
  (request: IncomingMessage, serverName: string) => Omit<GatewayFailure, "correlationId"> | undefined
>()("@secure-mcp/gateway/RequestRefusals") {
  static readonly layer = Layer.sync(RequestRefusals, () => {
    // Another reader may find other requests behind an unknown coding, so nothing that came there is carried out.
    const unclear = new WeakSet<Socket>()
    return (request, serverName) => {
      const refusal = unclear.has(request.socket)
        ? unknownCoding(serverName)
        : unacceptable(request, serverName)
      if (refusal?.status === 501) unclear.add(request.socket)
      return refusal
    }
  })
}

const methods: ReadonlyArray<string> = ["POST", "GET", "DELETE"]

const unacceptable = ({ headers, method = "" }: IncomingMessage, serverName: string) => {
  const coding = headers["transfer-encoding"]
  if (coding !== undefined && coding.toLowerCase() !== "chunked") return unknownCoding(serverName)
  if (headers["sec-fetch-mode"] === "navigate") return openedAsPage(serverName)
  return methods.includes(method)
    ? undefined
    : {
        status: 405,
        reason: "MethodNotAllowed",
        message: `This path answers ${methods.join(", ")}`,
        serverName,
        headers: { allow: methods.join(", ") }
      }
}

const unknownCoding = (serverName: string) => ({
  status: 501,
  reason: "TransferCodingNotSupported",
  message: "The only transfer coding of a request is chunked (RFC 9112 §6.1)",
  serverName,
  headers: { connection: "close" }
})

/** A page of one server would run at the origin of the gateway, and could read what all the others answer. */
const openedAsPage = (serverName: string) => ({
  status: 403,
  reason: "OpenedAsPage",
  message: "A browser opened this address as a page. It is for MCP clients; a page calls it with fetch",
  serverName
})
