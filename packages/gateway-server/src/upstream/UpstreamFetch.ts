import { ClientCertificates } from "@secure-mcp/mtls"
import {
  type AccessTokenRequest,
  type OAuthError,
  type OAuthToken,
  parseChallenge
} from "@secure-mcp/oauth-core"
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
import type * as Scope from "effect/Scope"
import { readText } from "../fetch/AnswerBody.ts"
import {
  type Fetch,
  type FetchNow,
  type FetchRequest,
  type FetchResponse,
  UpstreamFailed
} from "../fetch/Fetch.ts"
import { SentRequest } from "../fetch/SentRequest.ts"
import { type Address, addressOf } from "./Address.ts"
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

  const headersOf = makeHeaders(entry)
  const target = addressOf(entryUrl)

  const fail = (error: unknown): Effect.Effect<never, UpstreamFailed> => {
    const { advice, mayHaveArrived, problem } = describeUnreachable(entry, error)
    return Effect.fail(
      new UpstreamFailed({
        kind: mayHaveArrived ? "Broken" : "NotSent",
        problem: `The MCP server "${entry.serverName}" gave no answer: ${problem}${advice === undefined ? "" : `. ${advice}`}`
      })
    )
  }

  const sendOnce = Effect.fnUntraced(function* (
    address: Address,
    request: FetchRequest,
    token: Redacted.Redacted | undefined
  ): Effect.fn.Return<FetchResponse, UpstreamFailed, Scope.Scope> {
    const { dispatcher } = yield* Effect.catch(certificates.connection(entry.oauth, entry.proxies), fail)
    const sent = new SentRequest({ ...address, dispatcher }, request, headersOf(request, token))
    yield* Effect.addFinalizer(() => Effect.sync(() => sent.abort()))
    return yield* Effect.callback<FetchResponse, UpstreamFailed>((resume) =>
      sent.send((failure) => resume(failure === undefined ? Effect.succeed(sent) : fail(failure)))
    )
  })

  const send = Effect.fnUntraced(function* (
    request: FetchRequest,
    token: Redacted.Redacted | undefined
  ): Effect.fn.Return<FetchResponse, UpstreamFailed, Scope.Scope> {
    if (request.url !== undefined && request.url.origin !== entryUrl.origin)
      return yield* new UpstreamFailed({
        kind: "NotSent",
        problem: `The MCP server "${entry.serverName}" has ${entryUrl.origin} as its origin: nothing is sent to ${request.url.origin}`
      })
    const address = request.url === undefined ? target : addressOf(request.url)
    return yield* follow(address, yield* sendOnce(address, request, token), request, token)
  })

  /** The answer of the server, or what its redirect leads to. */
  const follow = Effect.fnUntraced(function* (
    { url }: Address,
    response: FetchResponse,
    request: FetchRequest,
    token: Redacted.Redacted | undefined
  ): Effect.fn.Return<FetchResponse, UpstreamFailed, Scope.Scope> {
    const redirect = decide(url, response, request, false)
    if (redirect._tag === "NotRedirected") return response
    yield* discard(response)
    if (redirect._tag === "Refused") return yield* refuseRedirect(redirect.problem, response.status)
    const second = yield* sendOnce(addressOf(redirect.url), request, token)
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

  const withToken = (tokenRequest: AccessTokenRequest) => {
    const attempt = (request: FetchRequest) => (token: Redacted.Redacted | undefined) =>
      Effect.flatMap(send(request, token), (response) => outcome(request, response))
    const explain = <A, R>(sent: Effect.Effect<A, UpstreamFailed | OAuthError, R>) =>
      Effect.catchTag(sent, "OAuthError", (error) =>
        Effect.fail(
          new UpstreamFailed({
            kind: "NoToken",
            problem: describeOAuthError(error, tokenRequest),
            cause: error
          })
        )
      )
    return {
      first: (request: FetchRequest) => explain(injector.use(tokenRequest, attempt(request))),
      /** After a first attempt with the token. */
      next: (
        request: FetchRequest,
        token: OAuthToken,
        first: Effect.Effect<FetchResponse, UpstreamFailed, Scope.Scope>
      ) =>
        explain(
          injector.useAfter(
            tokenRequest,
            { token, outcome: Effect.flatMap(first, (response) => outcome(request, response)) },
            attempt(request)
          )
        )
    }
  }

  return (tokenRequest: AccessTokenRequest | undefined): Fetch => {
    const withTokens = tokenRequest && withToken(tokenRequest)

    const now: FetchNow = (request, onAnswer) => {
      const token = tokenRequest && injector.peek(tokenRequest)
      const connection = certificates.current(entry.oauth, entry.proxies)
      if (request.url !== undefined || connection === undefined) return undefined
      if (tokenRequest !== undefined && token === undefined) return undefined
      const accessToken = token?.accessToken
      const sent = new SentRequest(
        { ...target, dispatcher: connection.dispatcher },
        request,
        headersOf(request, accessToken)
      )
      /** What there is to do if the answer is not a short JSON text. */
      const readOn = (failure: Error | undefined) => {
        const first =
          failure === undefined
            ? Effect.andThen(
                Effect.addFinalizer(() => Effect.sync(() => sent.abort())),
                follow(target, sent, request, accessToken)
              )
            : fail(failure)
        onAnswer(
          withTokens === undefined || token === undefined ? first : withTokens.next(request, token, first)
        )
      }
      sent.send((failure) => {
        if (failure !== undefined || !sent.mayBeShortJson(maxShort)) return readOn(failure)
        sent.whenWhole(maxShort, (text) => {
          if (text === undefined) return readOn(undefined)
          if (tokenRequest !== undefined && token !== undefined) injector.settle(tokenRequest, token)
          onAnswer({ text, response: sent })
        })
      })
      return sent
    }

    return Object.assign(withTokens?.first ?? ((request: FetchRequest) => send(request, undefined)), { now })
  }
})

/** The longest text that is not read in slices. */
const maxShort = 64 * 1024

const decide = (
  url: URL,
  { headers, status }: FetchResponse,
  { method }: FetchRequest,
  alreadyFollowed: boolean
) => redirectOf(url, status, headers.get("location"), method, { alreadyFollowed })

/**
 * Makes what gives the headers of a request: those that it has, and the entry's own and the token, which replace them. An
 * answer may come compressed: lists of tools are long.
 */
const makeHeaders = (entry: HttpServerEntry) => {
  const own = new Map([["accept-encoding", "gzip"]])
  if (entry.userAgent !== undefined) own.set("user-agent", entry.userAgent)
  for (const [name, value] of Object.entries(entry.headers))
    own.set(name.toLowerCase(), Redacted.value(value))
  const pairs = [...own].flat()
  const withoutCredentials = [...own].filter(([name]) => name !== "authorization").flat()
  return ({ headers }: FetchRequest, token: Redacted.Redacted | undefined): Array<string> => {
    const all =
      token === undefined
        ? [...pairs]
        : [...withoutCredentials, "authorization", `Bearer ${Redacted.value(token)}`]
    for (const name in headers) {
      const value = headers[name]
      if (value !== undefined && !own.has(name)) all.push(name, value)
    }
    return all
  }
}

const outcome = Effect.fnUntraced(function* (request: FetchRequest, response: FetchResponse) {
  const { status } = response
  const challenge = parseChallenge(response.headers.get("www-authenticate") ?? undefined)
  if (!refusesToken(status, challenge)) return accepted(response)
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

/** Closes the connection: an answer that is not read would keep it open. */
const discard = ({ body }: FetchResponse): Effect.Effect<void> =>
  Effect.promise(async () => void (await body?.[Symbol.asyncIterator]().return?.()))
