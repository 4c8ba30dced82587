import { ClientCertificates } from "@secure-mcp/mtls"
import { OAuthError, parseChallenge, RedirectRefused, type OAuthConfig } from "@secure-mcp/oauth-core"
import {
  accepted,
  type AttemptOutcome,
  isBodyInMemory,
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
import type { ClientFailure } from "./ClientFailure.ts"
import type { ClientServices } from "./ClientServices.ts"
import { OAuthClientError } from "./OAuthClientError.ts"
import type { ClientSettings } from "./OAuthClientOptions.ts"

/** What `fetch` itself fails with: it is the caller's, unchanged. */
export class FetchFailed {
  readonly _tag = "FetchFailed"
  readonly error: unknown

  constructor(error: unknown) {
    this.error = error
  }
}

/** One request to the MCP server, which may be sent more than once. */
interface Outgoing {
  readonly url: URL
  readonly method: string
  readonly headers: Headers
  readonly init: RequestInit
  /** Whether its body can be sent again. */
  readonly isRepeatable: boolean
}

/**
 * Makes the `fetch` for requests to the MCP server: they carry the token, and are repeated with another one as
 * `TokenInjector.use` says. One redirect is followed, within the origin.
 */
export const makeAuthorizedFetch = ({ config, request }: ClientSettings) => {
  const attempt = (outgoing: Outgoing) =>
    Effect.fnUntraced(function* (
      token: Redacted.Redacted | undefined
    ): Effect.fn.Return<AttemptOutcome<Response>, ClientFailure | FetchFailed, ClientServices> {
      const response = yield* follow(config, request.serverName, outgoing, token)
      const { status } = response
      const challenge = parseChallenge(response.headers.get("www-authenticate") ?? undefined)
      if (!refusesToken(status, challenge)) return accepted(response)
      if (mayBeAboutSession(challenge, outgoing.headers.get("mcp-session-id") ?? undefined)) {
        const copy = response.clone()
        if (mentionsSession(yield* readText(copy))) return accepted(response)
      }
      if (token === undefined || outgoing.isRepeatable) {
        yield* discard(response)
        return refused(status, challenge)
      }
      const injector = yield* TokenInjector
      yield* Effect.onError(injector.replace(request, token, challenge), () => discard(response))
      return accepted(response)
    })

  return Effect.fnUntraced(function* (input: string | URL | Request, init: RequestInit | undefined) {
    const outgoing = yield* Effect.tryPromise({
      try: () => outgoingOf(input, init),
      catch: (error) => new FetchFailed(error)
    })
    const injector = yield* TokenInjector
    return yield* injector.use(request, attempt(outgoing))
  })
}

const outgoingOf = async (
  input: string | URL | Request,
  init: RequestInit | undefined
): Promise<Outgoing> => {
  const request = new Request(input, init)
  const given = init?.body ?? undefined
  // Nobody can tell whether the body of a `Request` is in memory already: it is read into it.
  const isRepeatable = given === undefined || isBodyInMemory(given)
  const body = isRepeatable ? new Uint8Array(await request.arrayBuffer()) : request.body
  return {
    url: new URL(request.url),
    method: request.method,
    headers: request.headers,
    isRepeatable,
    init: {
      ...init,
      method: request.method,
      signal: signalOf(input, init),
      redirect: request.redirect,
      ...(request.body === null ? { body: null } : { body, duplex: "half" })
    }
  }
}

/**
 * The caller's own signal: the one of a `Request` follows it only as long as that `Request` is in memory, and nobody holds one
 * that was made here.
 */
export const signalOf = (input: string | URL | Request, init: RequestInit | undefined): AbortSignal | null =>
  init?.signal === undefined ? (input instanceof Request ? input.signal : null) : init.signal

/** Sends a request, and follows one redirect within the origin if the caller wants redirects to be followed. */
const follow = Effect.fnUntraced(function* (
  config: OAuthConfig,
  serverName: string,
  outgoing: Outgoing,
  token: Redacted.Redacted | undefined
) {
  const response = yield* send(config, outgoing, outgoing.url, token)
  if (outgoing.init.redirect === "manual") return response
  const decision = redirectOf(
    outgoing.url,
    response.status,
    response.headers.get("location"),
    outgoing.method
  )
  if (decision._tag === "NotRedirected") return response
  yield* discard(response)
  if (outgoing.init.redirect === "error")
    return yield* Effect.fail(
      new FetchFailed(new TypeError("fetch failed", { cause: new Error("unexpected redirect") }))
    )
  if (decision._tag === "Refused") return yield* refuseRedirect(serverName, response.status, decision.problem)
  if (!outgoing.isRepeatable)
    return yield* refuseRedirect(
      serverName,
      response.status,
      `redirects (HTTP status ${response.status}) a request whose body is a stream, which cannot be sent again: use ${decision.url.origin}${decision.url.pathname} as \`serverUrl\``
    )
  const second = yield* send(config, outgoing, decision.url, token)
  const again = redirectOf(decision.url, second.status, second.headers.get("location"), outgoing.method, {
    alreadyFollowed: true
  })
  if (again._tag !== "Refused") return second
  yield* discard(second)
  return yield* refuseRedirect(serverName, second.status, again.problem)
})

const refuseRedirect = (serverName: string, status: number, problem: string) =>
  OAuthError.fail({
    operation: "use the access token",
    serverName,
    reason: new RedirectRefused({ endpoint: serverName, status })
  }).pipe(
    Effect.mapError(
      (cause) =>
        new OAuthClientError(
          `The MCP server "${serverName}" ${problem.replaceAll("`url`", "`serverUrl`")} [correlation id ${cause.correlationId}]`,
          { reason: cause.reason._tag, correlationId: cause.correlationId, cause }
        )
    )
  )

const send = Effect.fnUntraced(function* (
  config: OAuthConfig,
  { headers: given, init }: Outgoing,
  url: URL,
  token: Redacted.Redacted | undefined
) {
  const headers = new Headers(given)
  if (token !== undefined) headers.set("authorization", `Bearer ${Redacted.value(token)}`)
  const options: RequestInit = { ...init, headers, redirect: "manual" }
  if (!config.useMtls && config.caBundlePath === undefined) return yield* fetched(() => fetch(url, options))
  // Choose the connection after the token: a token that is bound to a new certificate works only over its connections.
  const certificates = yield* ClientCertificates
  const { dispatcher } = yield* certificates
    .connection(config)
    .pipe(Effect.catch((reason) => OAuthError.fail({ operation: "connect", serverName: url.host, reason })))
  return yield* fetched(() => fetchOver(dispatcher, url, options, headers))
})

const fetched = (start: () => Promise<Response>): Effect.Effect<Response, FetchFailed> =>
  Effect.tryPromise({ try: start, catch: (error) => new FetchFailed(error) })

/** The `fetch` of Node takes no connections of the undici that is installed, and that one has a `Response` of its own. */
const fetchOver = async (
  dispatcher: Undici.Dispatcher,
  url: URL,
  { body, method, redirect, signal }: RequestInit,
  headers: Headers
): Promise<Response> => {
  const answer = await Undici.fetch(url, {
    method: method ?? "GET",
    headers: [...headers],
    redirect: redirect ?? "manual",
    dispatcher,
    ...(signal === null || signal === undefined ? {} : { signal }),
    ...(body instanceof Uint8Array || body instanceof ReadableStream ? { body, duplex: "half" } : {})
  })
  const hasNoBody = answer.body === null || [101, 103, 204, 205, 304].includes(answer.status)
  const response = new Response(hasNoBody ? null : answer.body, {
    status: answer.status,
    statusText: answer.statusText,
    headers: [...answer.headers]
  })
  Object.defineProperty(response, "url", { value: answer.url })
  return response
}

const readText = (response: Response): Effect.Effect<string> =>
  Effect.promise(async () => {
    const decoder = new TextDecoder()
    let text = ""
    try {
      for await (const chunk of response.body ?? []) {
        text += decoder.decode(chunk, { stream: true })
        if (text.length > maxRefusalBytes) break
      }
    } catch {
      return ""
    }
    return text
  })

/** Frees the connection: an answer that is not read would keep it open. */
const discard = ({ body }: Response): Effect.Effect<void> =>
  body === null ? Effect.void : Effect.ignore(Effect.tryPromise(() => body.cancel()))
