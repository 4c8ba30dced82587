import { ClientCertificates } from "@secure-mcp/mtls"
import { type AccessTokenRequest, type Challenge, parseChallenge } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Undici from "undici"
import { makeRequest } from "../jsonrpc/JsonRpc.ts"

/**
 * What an MCP server says to a request without a token: where its metadata stands (RFC 9728 §5.1) and which scope
 * it wants. Only asked where the authorization server has to be discovered; a server that does not say is found by
 * its well-known paths. Nothing but a `ping` is sent, and no answer is an answer, too.
 */
export const firstChallenge = Effect.fnUntraced(
  function* ({ config, resourceUrl }: AccessTokenRequest) {
    if (resourceUrl === undefined || config.tokenUrl !== undefined || config.issuer !== undefined)
      return undefined
    const { dispatcher } = yield* (yield* ClientCertificates).connection(config)
    const { body, headers, statusCode } = yield* Effect.tryPromise((signal) =>
      Undici.request(resourceUrl, { ...ping, dispatcher, signal })
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
