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
  const { advice, problem } = describeConnectionFailure(error, intended)
  return advice === undefined ? problem : `${problem}. ${advice}`
}
