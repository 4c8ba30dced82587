import { ClientCertificates } from "@secure-mcp/mtls"
import { type AttemptOutcome, type HttpServerEntry, TokenInjector } from "@secure-mcp/transport-injection"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import type { Dispatcher } from "undici"
import { type Destination, forwardExchange, type Redirected } from "./ForwardExchange.ts"
import { requestHeaders, withUserAgent } from "./ForwardedHeaders.ts"
import { type Exchange, type Upstream, UpstreamFailure } from "./Upstream.ts"
import { upstreamUnreachable } from "./UpstreamUnreachable.ts"

/** Makes the upstream of an entry with a `url`: forwards exchanges over Streamable HTTP, with the token added. */
export const makeHttpUpstream = Effect.fnUntraced(function* (
  entry: HttpServerEntry,
  tokenRequest: Upstream["tokenRequest"]
) {
  const certificates = yield* ClientCertificates
  const injector = yield* TokenInjector
  const ownHeaders = Object.fromEntries(
    Object.entries(entry.headers).map(([name, value]) => [name.toLowerCase(), Redacted.value(value)])
  )
  const redirects = yield* makeRedirects(entry.serverName)
  const url = new URL(entry.url)

  const forward = (
    exchange: Exchange,
    dispatcher: Dispatcher,
    destination: Destination
  ): Effect.Effect<AttemptOutcome<void>, UpstreamFailure> =>
    forwardExchange(exchange, dispatcher, destination).pipe(
      Effect.mapError((error) => upstreamUnreachable(entry, error)),
      Effect.flatMap((outcome) =>
        outcome._tag === "Redirected"
          ? Effect.flatMap(redirects.follow(outcome, exchange), (url) =>
              forward(exchange, dispatcher, { ...destination, url, isRedirected: true })
            )
          : Effect.succeed(outcome)
      )
    )

  // Choose the connection after the token: a token that is bound to a new certificate works only over its connections.
  const send = (exchange: Exchange, token: Redacted.Redacted | undefined) =>
    certificates.connection(entry.oauth, entry.proxies).pipe(
      Effect.mapError((error) => upstreamUnreachable(entry, error)),
      Effect.flatMap(({ dispatcher }) =>
        forward(exchange, dispatcher, {
          url,
          headers: withUserAgent(
            entry.userAgent,
            requestHeaders(
              exchange.request,
              token === undefined
                ? ownHeaders
                : { ...ownHeaders, authorization: `Bearer ${Redacted.value(token)}` }
            )
          ),
          withholdsRefusals: entry.oauth !== undefined,
          isRedirected: false
        })
      )
    )

  return {
    tokenRequest,
    handle: (exchange) => {
      const request = tokenRequest(exchange.caller)
      return request === undefined
        ? Effect.asVoid(send(exchange, undefined))
        : injector.use(request, (token) => send(exchange, token))
    }
  } satisfies Upstream
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
          `redirects (HTTP status ${status}) to ${address}, which is not followed with a body of more than 4 MiB: configure that address as its \`url\``
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
