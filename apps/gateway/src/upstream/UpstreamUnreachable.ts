import { CertificateUnusable, describeConnectionFailure } from "@secure-mcp/oauth-core"
import type { HttpServerEntry } from "@secure-mcp/transport-injection"
import { UpstreamFailure } from "./Upstream.ts"

/** The failure when there was no connection to the MCP server of an entry, or it broke before an answer came. */
export const upstreamUnreachable = (
  { oauth, serverName, url }: HttpServerEntry,
  error: unknown
): UpstreamFailure =>
  new UpstreamFailure({
    serverName,
    reason: "UpstreamUnreachable",
    problem: describe(error, {
      https: new URL(url).protocol === "https:",
      useMtls: oauth?.useMtls === true
    })
  })

const describe = (error: unknown, intended: Parameters<typeof describeConnectionFailure>[1]): string => {
  if (error instanceof CertificateUnusable) return error.message
  const { advice, code, problem } = describeConnectionFailure(error, intended)
  const consequence =
    code !== undefined && beforeRequest.test(code)
      ? "The request was not carried out"
      : "The request may have been carried out"
  return [problem, consequence, ...(advice === undefined ? [] : [advice])].join(". ")
}

/** Codes of connections that were never made: the address, the proxy, or the server's certificate. */
const beforeRequest =
  /^(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|PROXY_FAILED|CERT_.*|.*_CERT(?:IFICATE)?(?:_.*)?|UNABLE_TO_.*|ERR_SSL_.*)$/
