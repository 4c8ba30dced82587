import { Misconfigured } from "@secure-mcp/oauth-core"
import type { OAuthConfig } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"

/** An endpoint of the authorization server. */
export interface Endpoint {
  readonly url: string
  /** For errors and logs, as in "the token endpoint https://host/path". Never holds the query. */
  readonly name: string
}

/** RFC 6749 §3.2 */
export const tokenEndpoint = ({ tokenUrl }: OAuthConfig): Effect.Effect<Endpoint, Misconfigured> =>
  tokenUrl === undefined
    ? Effect.fail(new Misconfigured({ problem: "`token_url` is not configured" }))
    : Effect.succeed(makeEndpoint("token", tokenUrl))

/** RFC 7009 §2 */
export const revocationEndpoint = ({ revocationUrl }: OAuthConfig): Endpoint | undefined =>
  revocationUrl === undefined ? undefined : makeEndpoint("revocation", revocationUrl)

const makeEndpoint = (kind: string, url: string): Endpoint => {
  const parsed = URL.parse(url)
  return {
    url,
    name: parsed === null ? `the ${kind} endpoint` : `the ${kind} endpoint ${parsed.origin}${parsed.pathname}`
  }
}
