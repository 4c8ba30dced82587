import type { ClientCertificates } from "@secure-mcp/mtls"
import {
  type AccessTokenRequest,
  type CertificateUnusable,
  type Challenge,
  type OAuthConfig,
  parseChallenge
} from "@secure-mcp/oauth-core"
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { makeRequest } from "../jsonrpc/JsonRpc.ts"

/** What an MCP server says to who has no token. */
export interface AnswerWithoutToken {
  readonly status: number
  readonly challenge: Challenge | undefined
  /** `WWW-Authenticate`, as the server wrote it. */
  readonly authenticate: string | ReadonlyArray<string> | undefined
  readonly location: string | undefined
}

/** Sends the MCP server a `ping` without a token. Fails if there is no answer. */
export const askWithoutToken = Effect.fnUntraced(function* (
  certificates: ClientCertificates["Service"],
  resourceUrl: string,
  {
    config,
    proxies,
    userAgent
  }: Pick<AccessTokenRequest, "proxies" | "userAgent"> & { readonly config: OAuthConfig | undefined }
): Effect.fn.Return<AnswerWithoutToken, CertificateUnusable | Cause.UnknownError> {
  const { dispatcher } = yield* certificates.connection(config, proxies)
  const { body, headers, statusCode } = yield* Effect.tryPromise((signal) => {
    const { origin, pathname, search } = new URL(resourceUrl)
    return dispatcher.request({
      ...ping,
      origin,
      path: `${pathname}${search}`,
      headers: userAgent === undefined ? ping.headers : { ...ping.headers, "user-agent": userAgent },
      signal
    })
  })
  body.on("error", () => {}).destroy()
  const authenticate = headers["www-authenticate"]
  return {
    status: statusCode,
    challenge: statusCode === 401 ? parseChallenge(authenticate) : undefined,
    authenticate,
    location: [headers["location"]].flat()[0]
  }
})

/** Whether a login asks the MCP server first: not if the configuration says both the authorization server and the scope. */
export const needsChallenge = ({ config, resourceUrl }: AccessTokenRequest): boolean => {
  const isServerKnown = config.tokenUrl !== undefined || config.issuer !== undefined
  return resourceUrl !== undefined && !(isServerKnown && config.scope !== undefined)
}

/**
 * The challenge of an MCP server to a `ping` without a token: it names the server's metadata (RFC 9728 §5.1) and the
 * scope it needs. Undefined if there is no challenge within ten seconds; discovery then tries the well-known paths.
 */
export const firstChallenge = (
  certificates: ClientCertificates["Service"],
  request: AccessTokenRequest
): Effect.Effect<Challenge | undefined> =>
  request.resourceUrl !== undefined && needsChallenge(request)
    ? askWithoutToken(certificates, request.resourceUrl, request).pipe(
        Effect.map(({ challenge }) => challenge),
        Effect.timeout("10 seconds"),
        Effect.orElseSucceed(() => undefined)
      )
    : Effect.undefined

const ping = {
  method: "POST",
  headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
  body: makeRequest(0, "ping").text
} as const
