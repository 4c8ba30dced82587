import { ClientCertificates } from "@secure-mcp/mtls"
import { type AccessTokenRequest, parseChallenge } from "@secure-mcp/oauth-core"
import {
  accepted,
  type HttpServerEntry,
  refused,
  refusesToken,
  TokenInjector
} from "@secure-mcp/transport-injection"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Undici from "undici"
import { describeOAuthError } from "../upstream/OAuthAdvice.ts"
import { upstreamUnreachable } from "../upstream/UpstreamUnreachable.ts"
import { describeFailure, type Fetch, type FetchRequest } from "./UpstreamResponse.ts"

/**
 * Makes the `fetch` of the relay: requests go to the URL of the entry, over the entry's connections, with its headers
 * and its token, and are repeated with another token as `TokenInjector.use` says. Redirects are not followed.
 */
export const makeUpstreamFetch = Effect.fnUntraced(function* (
  entry: HttpServerEntry,
  tokenRequest: AccessTokenRequest | undefined
) {
  const certificates = yield* ClientCertificates
  const injector = yield* TokenInjector

  const send = Effect.fnUntraced(
    function* ({ headers, ...request }: FetchRequest, token: Redacted.Redacted | undefined) {
      const { dispatcher } = yield* certificates.connection(entry.oauth, entry.proxies)
      const signal = yield* Effect.abortSignal
      const init = { ...request, headers: withOwn(headers, entry, token), signal, dispatcher }
      return yield* Effect.tryPromise(() => Undici.fetch(entry.url, { ...init, redirect: "manual" }))
    },
    Effect.mapError((error) => upstreamUnreachable(entry, error))
  )

  const fetch: Fetch = (request) => {
    const exchange =
      tokenRequest === undefined
        ? send(request, undefined)
        : injector.use(tokenRequest, (token) => Effect.flatMap(send(request, token), outcome))
    return Effect.mapError(exchange, (error) =>
      describeFailure(
        error._tag === "OAuthError" ? new Error(describeOAuthError(error, tokenRequest)) : error
      )
    )
  }
  return fetch
})

/** The headers of a request, with the entry's own and the token in place of the client's. */
const withOwn = (
  headers: Record<string, string>,
  entry: HttpServerEntry,
  token: Redacted.Redacted | undefined
): Undici.Headers => {
  const all = new Undici.Headers(headers)
  if (entry.userAgent !== undefined) all.set("user-agent", entry.userAgent)
  for (const [name, value] of Object.entries(entry.headers)) all.set(name, Redacted.value(value))
  if (token !== undefined) all.set("authorization", `Bearer ${Redacted.value(token)}`)
  return all
}

const outcome = (response: Undici.Response) => {
  const challenge = parseChallenge(response.headers.get("www-authenticate") ?? undefined)
  return refusesToken(response.status, challenge)
    ? Effect.as(discard(response), refused(response.status, challenge))
    : Effect.succeed(accepted(response))
}

/** Frees the connection: an answer that is not read would keep it open. */
const discard = ({ body }: Undici.Response): Effect.Effect<void> =>
  body === null ? Effect.void : Effect.ignore(Effect.tryPromise(() => body.cancel()))
