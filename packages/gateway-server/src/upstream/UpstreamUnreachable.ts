import { CertificateUnusable, describeConnectionFailure } from "@secure-mcp/oauth-core"
import type { HttpServerEntry } from "@secure-mcp/transport-injection"
import { UpstreamFailure } from "./Upstream.ts"

/** What is known of a request that got no answer. */
export interface Unreachable {
  /** What was wrong with the connection. */
  readonly problem: string
  /** What to do about it. */
  readonly advice: string | undefined
  /** Whether the server may have got the request: false only if there was no connection to send it over. */
  readonly mayHaveArrived: boolean
}

/** The failure when there was no connection to the MCP server of an entry, or it broke before an answer came. */
export const upstreamUnreachable = (entry: HttpServerEntry, error: unknown): UpstreamFailure => {
  const { advice, mayHaveArrived, problem } = describeUnreachable(entry, error)
  const outcome = `The request ${mayHaveArrived ? "may have been" : "was not"} carried out`
  return new UpstreamFailure({
    serverName: entry.serverName,
    reason: "UpstreamUnreachable",
    problem: [problem, outcome, ...(advice === undefined ? [] : [advice])].join(". ")
  })
}

/** Describes a connection to the MCP server of an entry that was not made, or broke before an answer came. */
export const describeUnreachable = ({ oauth, url }: HttpServerEntry, error: unknown): Unreachable => {
  if (error instanceof CertificateUnusable)
    return { problem: error.message, advice: undefined, mayHaveArrived: false }
  const { advice, code, problem } = describeConnectionFailure(error, {
    https: new URL(url).protocol === "https:",
    useMtls: oauth?.useMtls === true
  })
  return {
    problem,
    advice,
    mayHaveArrived: code === undefined || !beforeRequest.test(code)
  }
}

/** Codes of connections that were never made: the address, the proxy, or the server's certificate. */
const beforeRequest =
  /^(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|PROXY_FAILED|CERT_.*|.*_CERT(?:IFICATE)?(?:_.*)?|UNABLE_TO_.*|ERR_SSL_.*)$/
