import { Misconfigured, OAuthError, parseChallenge, type AccessTokenRequest } from "@secure-mcp/oauth-core"
import { discardBody } from "@secure-mcp/oauth-core/internal"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import type * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Match from "effect/Match"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import { accepted, refused, refusesToken, type AttemptOutcome } from "./AttemptOutcome.ts"
import { isBodyInMemory } from "./BodyInMemory.ts"
import { TokenInjector } from "./TokenInjector.ts"

/**
 * Middleware for `HttpClient`: sends the access token as `Authorization: Bearer` (RFC 6750 §2.1).
 *
 * Only requests to the origin of `url` carry the token; requests to other origins are sent unchanged. Redirects are
 * not followed: the caller gets them as the answer. After a refusal the request is repeated as `TokenInjector.use`
 * says. A body that can be read only once (a stream) cannot be repeated: the token is replaced for the next request,
 * and the caller gets the refusal as the answer. Where a person has to log in first, the request is sent without a
 * token, and fails with `AuthorizationRequired` if the server refuses that.
 *
 * A `url` that no request can match, because it is not an absolute http(s) URL, is a mistake that would leave the token
 * out for ever: every request then fails with an `OAuthError` (`Misconfigured`), and nothing is sent.
 *
 * @param options.url the MCP server the token is for
 * @example
 * ```ts
 * import type { AccessTokenRequest } from "@secure-mcp/oauth-core"
 * import { injectBearer } from "@secure-mcp/transport-injection"
 * import * as Effect from "effect/Effect"
 * import * as HttpClient from "effect/http/HttpClient"
 *
 * const ping = (request: AccessTokenRequest, url: string) =>
 *   HttpClient.HttpClient.pipe(
 *     Effect.map(injectBearer(request, { url })),
 *     Effect.flatMap((client) => client.post(url))
 *   )
 * ```
 */
export const injectBearer =
  (request: AccessTokenRequest, options: { readonly url: URL | string }) =>
  <E, R>(
    client: HttpClient.HttpClient.With<E, R>
  ): HttpClient.HttpClient.With<E | OAuthError, R | TokenInjector> => {
    const origin = originOf(options.url)
    return HttpClient.transform(
      client,
      (unchanged, outgoing): Effect.Effect<Response, E | OAuthError, R | TokenInjector> => {
        if (origin === undefined) return noOrigin(request)
        return isFor(origin, outgoing)
          ? Effect.flatMap(TokenInjector, (injector) =>
              injector.use(request, (token) => attempt(client, outgoing, { injector, request, token }))
            )
          : unchanged
      }
    )
  }

type Response = HttpClientResponse.HttpClientResponse

const attempt = Effect.fnUntraced(function* <E, R>(
  client: HttpClient.HttpClient.With<E, R>,
  outgoing: HttpClientRequest.HttpClientRequest,
  {
    injector,
    request,
    token
  }: {
    readonly injector: (typeof TokenInjector)["Service"]
    readonly request: AccessTokenRequest
    readonly token: Redacted.Redacted | undefined
  }
): Effect.fn.Return<AttemptOutcome<Response>, E | OAuthError, R> {
  const authorized = token === undefined ? outgoing : HttpClientRequest.bearerToken(outgoing, token)
  const response = yield* withoutRedirects(client.postprocess(Effect.succeed(authorized)))
  const { headers, status } = response
  const challenge = parseChallenge(headers["www-authenticate"])
  if (!refusesToken(status, challenge)) return accepted(response)
  if (token === undefined || isRepeatable(outgoing.body)) {
    yield* discardBody(response)
    return refused(status, challenge)
  }
  yield* Effect.onError(injector.replace(request, token, challenge), () => discardBody(response))
  return accepted(response)
})

/** Undefined for what is the URL of no request: "null" is the origin of two different files, too. */
const originOf = (url: URL | string): string | undefined => {
  const parsed = URL.parse(String(url))
  return parsed !== null && /^https?:$/.test(parsed.protocol) ? parsed.origin : undefined
}

const noOrigin = ({ serverName }: AccessTokenRequest) =>
  OAuthError.fail({
    operation: "use the access token",
    serverName,
    reason: new Misconfigured({
      problem:
        "`url` of `injectBearer` matches no request: it must be the absolute http(s) URL of the MCP server"
    })
  })

const isFor = (resource: string, request: HttpClientRequest.HttpClientRequest): boolean =>
  Option.exists(HttpClientRequest.toUrl(request), ({ origin }) => origin === resource)

/** fetch follows redirects unless told not to; the other clients do not follow them in the first place. */
const withoutRedirects = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.updateContext(effect, (context: Context.Context<R>) =>
    Context.add(context, FetchHttpClient.RequestInit, {
      ...Context.getOrUndefined(context, FetchHttpClient.RequestInit),
      redirect: "manual"
    })
  )

const isRepeatable = (body: HttpBody.HttpBody): boolean =>
  Match.valueTags(body, {
    Empty: () => true,
    Uint8Array: () => true,
    FormData: () => true,
    Raw: ({ body: content }) => isBodyInMemory(content),
    Stream: () => false
  })
