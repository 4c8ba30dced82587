import { ClientCertificates } from "@secure-mcp/mtls"
import { type AttemptOutcome, type HttpServerEntry, TokenInjector } from "@secure-mcp/transport-injection"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import type { Dispatcher } from "undici"
import { personOf } from "../callers/Person.ts"
import type { SessionBindings } from "../sessions/SessionBindings.ts"
import { addressOf, type Destination } from "./Address.ts"
import {
  forwardExchange,
  type ForwardOutcome,
  type Redirected,
  sendExchange,
  type SessionBegun
} from "./ForwardExchange.ts"
import { type HeaderPairs, makeRequestHeaders } from "./ForwardedHeaders.ts"
import { type Exchange, type Upstream, UpstreamFailure } from "./Upstream.ts"
import { upstreamUnreachable } from "./UpstreamUnreachable.ts"

/**
 * Makes the upstream of an entry with a `url`: forwards exchanges over Streamable HTTP, with the token added.
 *
 * @param sessions whose the server's sessions are; undefined if all callers are one person
 */
export const makeHttpUpstream = Effect.fnUntraced(function* (
  entry: HttpServerEntry,
  tokenRequest: Upstream["tokenRequest"],
  sessions: SessionBindings | undefined
) {
  const certificates = yield* ClientCertificates
  const injector = yield* TokenInjector
  const ownHeaders = Object.fromEntries(
    Object.entries(entry.headers).map(([name, value]) => [name.toLowerCase(), Redacted.value(value)])
  )
  const redirects = yield* makeRedirects(entry.serverName)
  const requestHeaders = makeRequestHeaders(ownHeaders, entry.userAgent)
  const destination: Destination = {
    address: addressOf(new URL(entry.url)),
    withholdsRefusals: entry.oauth !== undefined,
    isRedirected: false,
    withholdsSessions: sessions !== undefined
  }

  /** A request, and how it reaches the server. */
  interface Attempt {
    readonly exchange: Exchange
    readonly dispatcher: Dispatcher
    readonly headers: HeaderPairs
  }

  const forward = (attempt: Attempt, to: Destination): Effect.Effect<AttemptOutcome<void>, UpstreamFailure> =>
    Effect.flatMap(forwardExchange(attempt.exchange, attempt.dispatcher, to, attempt.headers), (outcome) =>
      settle(outcome, attempt, to)
    )

  const settle = (
    outcome: ForwardOutcome,
    attempt: Attempt,
    to: Destination
  ): Effect.Effect<AttemptOutcome<void>, UpstreamFailure> => {
    switch (outcome._tag) {
      case "Failed":
        return Effect.fail(upstreamUnreachable(entry, outcome.error))
      case "Redirected":
        return Effect.flatMap(redirects.follow(outcome, attempt.exchange), (url) =>
          forward(attempt, { ...to, address: addressOf(url), isRedirected: true })
        )
      case "SessionBegun":
        return Effect.flatMap(beginSession(outcome, attempt.exchange), (begun) => settle(begun, attempt, to))
      case "Accepted":
      case "Refused":
        return Effect.succeed(outcome)
    }
  }

  /** A session that is somebody else's is not given away, whatever the server says. */
  const beginSession = ({ forward, sessionId, withhold }: SessionBegun, { caller }: Exchange) =>
    (sessions === undefined ? Effect.succeed(true) : sessions.begin(sessionId, personOf(caller))).pipe(
      Effect.onInterrupt(() => withhold),
      Effect.flatMap((isOwn) =>
        isOwn ? forward : Effect.andThen(withhold, Effect.fail(sessionConflict(entry.serverName)))
      )
    )

  /** The headers to send: a token stands in place of the entry's own `Authorization`. */
  const headersOf = ({ request }: Exchange, token: Redacted.Redacted | undefined): HeaderPairs =>
    requestHeaders(request, token === undefined ? [] : ["authorization", `Bearer ${Redacted.value(token)}`])

  // Choose the connection after the token: a token that is bound to a new certificate works only over its connections.
  const send = (exchange: Exchange, token: Redacted.Redacted | undefined) =>
    certificates.connection(entry.oauth, entry.proxies).pipe(
      Effect.mapError((error) => upstreamUnreachable(entry, error)),
      Effect.flatMap(({ dispatcher }) =>
        forward({ exchange, dispatcher, headers: headersOf(exchange, token) }, destination)
      )
    )

  const handle: Upstream["handle"] = (exchange) => {
    const request = tokenRequest(exchange.caller)
    return request === undefined
      ? Effect.asVoid(send(exchange, undefined))
      : injector.use(request, (token) => send(exchange, token))
  }

  const handleNow: HandleNow = (exchange, onEnd) => {
    const request = tokenRequest(exchange.caller)
    const token = request && injector.peek(request)
    const connection = certificates.current(entry.oauth, entry.proxies)
    if ((request !== undefined && token === undefined) || connection === undefined) return false
    const { dispatcher } = connection
    const headers = headersOf(exchange, token?.accessToken)
    sendExchange(exchange, dispatcher, destination, headers, (outcome) => {
      if (outcome._tag === "Accepted") {
        if (request !== undefined && token !== undefined) injector.settle(request, token)
        return onEnd(undefined)
      }
      const settled = settle(outcome, { exchange, dispatcher, headers }, destination)
      onEnd(
        request === undefined || token === undefined
          ? Effect.asVoid(settled)
          : injector.useAfter(request, { token, outcome: settled }, (next) => send(exchange, next))
      )
    })
    return true
  }

  return {
    tokenRequest,
    handle: sessions === undefined ? handle : inOwnSession(entry.serverName, sessions, handle),
    handleNow: sessions === undefined ? handleNow : inOwnSessionNow(entry.serverName, sessions, handleNow)
  } satisfies Upstream
})

type HandleNow = NonNullable<Upstream["handleNow"]>

const inOwnSessionNow =
  (serverName: string, sessions: SessionBindings, handleNow: HandleNow): HandleNow =>
  (exchange, onEnd) => {
    const sessionId = exchange.request.headers["mcp-session-id"]
    if (sessionId === undefined) return handleNow(exchange, onEnd)
    const leave = sessions.useNow(String(sessionId), personOf(exchange.caller))
    if (leave === undefined) return false
    const isSent = handleNow(exchange, (rest) => {
      leave()
      onEnd(rest && inOwnSession(serverName, sessions, () => rest)(exchange))
    })
    if (!isSent) leave()
    return isSent
  }

/** Handles an exchange only if its session, if it names one, is the caller's. */
const inOwnSession =
  (serverName: string, sessions: SessionBindings, handle: Upstream["handle"]): Upstream["handle"] =>
  (exchange) => {
    const { caller, request, response } = exchange
    const sessionId = request.headers["mcp-session-id"]
    if (sessionId === undefined) return handle(exchange)
    const id = String(sessionId)
    return Effect.gen(function* () {
      const isOwn = yield* Effect.mapError(sessions.use(id, personOf(caller)), ({ problem }) =>
        storeUnavailable(serverName, problem)
      )
      if (!isOwn) return yield* unknownSession(serverName)
      yield* handle(exchange)
      const isEnded = request.method === "DELETE" && response.statusCode < 300
      // One that stays in the store until its time is over is still the caller's.
      if (isEnded) yield* Effect.ignore(sessions.end(id))
    }).pipe(Effect.scoped)
  }

const unknownSession = (serverName: string) =>
  new UpstreamFailure({
    serverName,
    reason: "UnknownSession",
    problem:
      "Its session is not known here, or is somebody else's. Begin a new one: send initialize without a session"
  })

const sessionConflict = (serverName: string) =>
  new UpstreamFailure({
    serverName,
    reason: "SessionConflict",
    problem: "its Mcp-Session-Id is that of another person. Session ids must be unique and not guessable"
  })

const storeUnavailable = (serverName: string, problem: string) =>
  new UpstreamFailure({
    serverName,
    reason: "StoreUnavailable",
    problem: `Whose the session is stands in the store. ${problem}`,
    retryAfterSeconds: 5
  })

/** What a server's redirects lead to. Only the log says where: a client that knew would go past the gateway. */
const makeRedirects = Effect.fnUntraced(function* (serverName: string) {
  const isKnown = yield* Ref.make(false)
  const refuse = (status: number, problem: string) =>
    Effect.logWarning(`The MCP server "${serverName}" ${problem}`).pipe(
      Effect.andThen(
        Effect.fail(
          new UpstreamFailure({
            serverName,
            reason: "UpstreamRedirected",
            problem: `HTTP status ${status}, which the gateway does not follow. Its log says where to`
          })
        )
      )
    )
  return {
    /** The address that the exchange is forwarded to instead. */
    follow: ({ redirect, status }: Redirected, { body }: Exchange): Effect.Effect<URL, UpstreamFailure> => {
      if (redirect._tag === "Refused") return refuse(status, redirect.problem)
      const { url } = redirect
      const address = url.origin + url.pathname
      if (body.rest !== undefined) {
        return refuse(
          status,
          `redirects (HTTP status ${status}) to ${address}, which is not followed with a body that was not kept (one of more than 4 MiB, or without room in \`gateway.limits.buffered_bytes\`): configure that address as its \`url\``
        )
      }
      const advice = `The MCP server "${serverName}" redirects every request to ${address}: configure that address as its \`url\``
      return Ref.getAndSet(isKnown, true).pipe(
        Effect.flatMap((known) => (known ? Effect.void : Effect.logWarning(advice))),
        Effect.as(url)
      )
    }
  }
})
