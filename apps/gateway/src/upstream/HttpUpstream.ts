import type { IncomingHttpHeaders, ServerResponse } from "node:http"
import { Writable } from "node:stream"
import { ClientCertificates } from "@secure-mcp/mtls"
import { parseChallenge } from "@secure-mcp/oauth-core"
import {
  accepted,
  type AttemptOutcome,
  type HttpServerEntry,
  mayRefuseToken,
  refused,
  refusesToken,
  TokenInjector
} from "@secure-mcp/transport-injection"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Dispatcher } from "undici"
import { requestHeaders, responseHeaders, withUserAgent } from "./ForwardedHeaders.ts"
import { outgoingBody } from "./RequestBody.ts"
import type { Exchange, Upstream } from "./Upstream.ts"
import { upstreamUnreachable } from "./UpstreamUnreachable.ts"

/** Makes the upstream of an entry with a `url`: forwards exchanges over Streamable HTTP, with the token added. */
export const makeHttpUpstream = Effect.fnUntraced(function* (
  entry: HttpServerEntry,
  tokenRequest: Upstream["tokenRequest"]
) {
  const certificates = yield* ClientCertificates
  const injector = yield* TokenInjector
  const { origin, pathname, search } = new URL(entry.url)
  const ownHeaders = Object.fromEntries(
    Object.entries(entry.headers).map(([name, value]) => [name.toLowerCase(), Redacted.value(value)])
  )

  // Choose the connection after the token: a token that is bound to a new certificate works only over its connections.
  const send = (exchange: Exchange, token: Redacted.Redacted | undefined) =>
    Effect.flatMap(certificates.connection(entry.oauth, entry.proxies), ({ dispatcher }) =>
      forward(exchange, dispatcher, {
        origin,
        path: pathname + search,
        headers: withUserAgent(
          entry.userAgent,
          requestHeaders(
            exchange.request.headers,
            token === undefined
              ? ownHeaders
              : { ...ownHeaders, authorization: `Bearer ${Redacted.value(token)}` }
          )
        ),
        withholdsRefusals: entry.oauth !== undefined
      })
    ).pipe(Effect.mapError((error) => upstreamUnreachable(entry, error)))

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

interface Destination {
  readonly origin: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  /** Whether an answer that refuses the token, or wants one, is not forwarded, because another may be accepted. */
  readonly withholdsRefusals: boolean
}

/**
 * Forwards one exchange and its answer. Succeeds when the answer is written or withheld; fails only if nothing of an
 * answer has been written. Interrupting it closes the connection to the server.
 */
const forward = ({ body, request, response }: Exchange, dispatcher: Dispatcher, destination: Destination) =>
  Effect.callback<AttemptOutcome<void>, Error>((resume, signal) => {
    dispatcher.stream(
      {
        origin: destination.origin,
        path: destination.path,
        method: request.method ?? "GET",
        headers: destination.headers,
        body: outgoingBody(body),
        signal
      },
      ({ headers, statusCode }) => {
        if (destination.withholdsRefusals && mayRefuseToken(statusCode)) {
          const challenge = parseChallenge(headers["www-authenticate"])
          if (refusesToken(statusCode, challenge)) {
            // The streamed part of the body cannot be sent again.
            resume(Effect.succeed(refused(statusCode, challenge, { repeatable: body.rest === undefined })))
            return discard()
          }
        }
        response.writeHead(statusCode, responseHeaders(headers, response.getHeaders()))
        if (isEventStream(headers["content-type"])) response.flushHeaders()
        return response
      },
      (error) => {
        if (error === null) resume(Effect.succeed(answered))
        else if (response.headersSent) resume(Effect.sync(() => hangUp(response)))
        else resume(Effect.fail(error))
      }
    )
  })

const answered = accepted<void>(undefined)

const isEventStream = (contentType: string | ReadonlyArray<string> | undefined): boolean =>
  String(contentType).startsWith("text/event-stream")

/** Reads a withheld answer of up to 64 KiB, so that its connection can be used again; a longer one closes it. */
const discard = (): Writable => {
  let remaining = 64 * 1024
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      remaining -= chunk.length
      done(remaining < 0 ? new Error("the withheld answer is too long") : null)
    }
  })
}

/** Closes the connection to the client, which shows it that the answer is incomplete. */
const hangUp = (response: ServerResponse) => {
  response.destroy()
  return answered
}
