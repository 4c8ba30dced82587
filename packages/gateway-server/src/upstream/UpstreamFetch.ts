import { ClientCertificates } from "@secure-mcp/mtls"
import { type AccessTokenRequest, parseChallenge } from "@secure-mcp/oauth-core"
import {
  accepted,
  type HttpServerEntry,
  maxRefusalBytes,
  mayBeAboutSession,
  mentionsSession,
  redirectOf,
  refused,
  refusesToken,
  TokenInjector
} from "@secure-mcp/transport-injection"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Undici from "undici"
import { readText } from "../fetch/AnswerBody.ts"
import { type Fetch, type FetchRequest, type FetchResponse, UpstreamFailed } from "../fetch/Fetch.ts"
import { describeOAuthError } from "./OAuthAdvice.ts"
import { describeUnreachable } from "./UpstreamUnreachable.ts"

/**
 * Makes the `fetch` for an entry and a token request: requests go to its origin, over its connections, with its headers and its token, and
 * are repeated with another token as `TokenInjector.use` says. One redirect is followed, within the origin.
 */
export const makeUpstreamFetch = Effect.fnUntraced(function* (entry: HttpServerEntry) {
  const certificates = yield* ClientCertificates
  const injector = yield* TokenInjector
  const entryUrl = new URL(entry.url)

  const sendOnce = Effect.fnUntraced(
    function* (url: URL, request: FetchRequest, token: Redacted.Redacted | undefined) {
      const { dispatcher } = yield* certificates.connection(entry.oauth, entry.proxies)
      const signal = yield* Effect.abortSignal
      const { body, method } = request
      const headers = withOwn(request.headers, entry, token)
      const init = { method, headers, signal, dispatcher, ...(body === undefined ? {} : { body }) }
      return yield* Effect.tryPromise(() => Undici.fetch(url, { ...init, redirect: "manual" }))
    },
    Effect.mapError((error) => {
      const { advice, mayHaveArrived, problem } = describeUnreachable(entry, error)
      return new UpstreamFailed({
        kind: mayHaveArrived ? "Broken" : "NotSent",
        problem: `The MCP server "${entry.serverName}" gave no answer: ${problem}${advice === undefined ? "" : `. ${advice}`}`
      })
    })
  )

  const send = Effect.fnUntraced(function* (
    request: FetchRequest,
    token: Redacted.Redacted | undefined
  ): Effect.fn.Return<Undici.Response, UpstreamFailed, Effect.Services<ReturnType<typeof sendOnce>>> {
    const url = request.url ?? entryUrl
    if (url.origin !== entryUrl.origin)
      return yield* new UpstreamFailed({
        kind: "NotSent",
        problem: `The MCP server "${entry.serverName}" has ${entryUrl.origin} as its origin: nothing is sent to ${url.origin}`
      })
    const response = yield* sendOnce(url, request, token)
    const redirect = decide(url, response, request, false)
    if (redirect._tag === "NotRedirected") return response
    yield* discard(response)
    if (redirect._tag === "Refused") return yield* refuseRedirect(redirect.problem, response.status)
    const second = yield* sendOnce(redirect.url, request, token)
    const again = decide(redirect.url, second, request, true)
    if (again._tag !== "Refused") return second
    yield* discard(second)
    return yield* refuseRedirect(again.problem, second.status)
  })

  const refuseRedirect = (redirects: string, status: number) => {
    const problem = `The MCP server "${entry.serverName}" ${redirects}`
    return Effect.andThen(
      Effect.logWarning(problem),
      Effect.fail(
        new UpstreamFailed({
          kind: "Refused",
          problem,
          withoutAddress: `The MCP server "${entry.serverName}" redirects (HTTP status ${status}), which is not followed`,
          status
        })
      )
    )
  }

  return (tokenRequest: AccessTokenRequest | undefined): Fetch =>
    (request) =>
      tokenRequest === undefined
        ? send(request, undefined)
        : injector
            .use(tokenRequest, (token) =>
              Effect.flatMap(send(request, token), (response) => outcome(request, response))
            )
            .pipe(
              Effect.catchTag("OAuthError", (error) =>
                Effect.fail(
                  new UpstreamFailed({
                    kind: "NoToken",
                    problem: describeOAuthError(error, tokenRequest),
                    cause: error
                  })
                )
              )
            )
})

const decide = (
  url: URL,
  { headers, status }: Undici.Response,
  { method }: FetchRequest,
  alreadyFollowed: boolean
) => redirectOf(url, status, headers.get("location"), method, { alreadyFollowed })

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

const outcome = Effect.fnUntraced(function* (request: FetchRequest, response: Undici.Response) {
  const { status } = response
  const challenge = parseChallenge(response.headers.get("www-authenticate") ?? undefined)
  if (!refusesToken(status, challenge)) return accepted<FetchResponse>(response)
  if (!mayBeAboutSession(challenge, request.headers["mcp-session-id"])) {
    yield* discard(response)
    return refused(status, challenge)
  }
  const text = yield* Effect.orElseSucceed(readText(response, maxRefusalBytes), () => "")
  return mentionsSession(text)
    ? accepted<FetchResponse>({ status, url: response.url, headers: response.headers, body: bytesOf(text) })
    : refused(status, challenge)
})

async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
}

/** Frees the connection: an answer that is not read would keep it open. */
const discard = ({ body }: Undici.Response): Effect.Effect<void> =>
  body === null ? Effect.void : Effect.ignore(Effect.tryPromise(() => body.cancel()))
