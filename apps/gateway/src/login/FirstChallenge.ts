import type { ClientCertificates } from "@secure-mcp/mtls"
import { type AccessTokenRequest, type Challenge, parseChallenge } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Undici from "undici"
import { makeRequest } from "../jsonrpc/JsonRpc.ts"

/**
 * The challenge of an MCP server to a `ping` without a token: it names the server's metadata (RFC 9728 §5.1) and the
 * scope it needs. Not sent if the configuration says both. Undefined if there is no challenge within
 * ten seconds; discovery then tries the well-known paths.
 */
export const firstChallenge = Effect.fnUntraced(
  function* (
    certificates: ClientCertificates["Service"],
    { config, proxies, resourceUrl, userAgent }: AccessTokenRequest
  ) {
    const isServerKnown = config.tokenUrl !== undefined || config.issuer !== undefined
    if (resourceUrl === undefined || (isServerKnown && config.scope !== undefined)) return undefined
    const { dispatcher } = yield* certificates.connection(config, proxies)
    const { body, headers, statusCode } = yield* Effect.tryPromise((signal) =>
      Undici.request(resourceUrl, {
        ...ping,
        headers: userAgent === undefined ? ping.headers : { ...ping.headers, "user-agent": userAgent },
        dispatcher,
        signal
      })
    )
    body.on("error", () => {}).destroy()
    return statusCode === 401 ? parseChallenge(headers["www-authenticate"]) : undefined
  },
  Effect.timeout("10 seconds"),
  Effect.orElseSucceed((): Challenge | undefined => undefined)
)

const ping = {
  method: "POST",
  headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
  body: makeRequest(0, "ping").text
} as const
