import type { IncomingHttpHeaders, ServerResponse } from "node:http"
import { Writable } from "node:stream"
import { ClientCertificates } from "@secure-mcp/mtls"
import { parseChallenge } from "@secure-mcp/oauth-core"
import {
  accepted,
  type AttemptOutcome,
  type HttpServerEntry,
  refused,
  refusesToken,
  TokenInjector
} from "@secure-mcp/transport-injection"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Dispatcher } from "undici"
import { requestHeaders, responseHeaders } from "./ForwardedHeaders.ts"
import { outgoingBody } from "./RequestBody.ts"
import type { Exchange, Upstream } from "./Upstream.ts"
import { upstreamUnreachable } from "./UpstreamUnreachable.ts"

/** An MCP server that speaks Streamable HTTP: exchanges are passed on, with the token added. */
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

  // The connections are chosen when the token is there: one that is bound to a new certificate is of use only with it.
  const send = (exchange: Exchange, token: Redacted.Redacted | undefined) =>
    Effect.flatMap(certificates.connection(entry.oauth), ({ dispatcher }) =>
      forward(exchange, dispatcher, {
        origin,
        path: pathname + search,
        headers: requestHeaders(
          exchange.request.headers,
          token === undefined
            ? ownHeaders
            : { ...ownHeaders, authorization: `Bearer ${Redacted.value(token)}` }
        ),
        withholdsRefusals: token !== undefined
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
  /** Whether a refusal of the token is kept from the client, because another token may change it. */
  readonly withholdsRefusals: boolean
}

/**
 * Passes one exchange on and its answer back. Succeeds when the answer is written, or when it was withheld;
 * fails while nothing of an answer has been written. Interrupting it hangs up on the server.
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
        if (destination.withholdsRefusals && (statusCode === 401 || statusCode === 403)) {
          const challenge = parseChallenge(headers["www-authenticate"])
          if (refusesToken(statusCode, challenge)) {
            // What went beyond the kept part of the body is gone.
            resume(Effect.succeed(refused(statusCode, challenge, { repeatable: body.rest === undefined })))
            return discard()
          }
        }
        response.writeHead(statusCode, responseHeaders(headers))
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

/** Reads a withheld answer to its end, so that its connection can be used again, unless it is not worth it. */
const discard = (): Writable => {
  let remaining = 64 * 1024
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      remaining -= chunk.length
      done(remaining < 0 ? new Error("the withheld answer is too long") : null)
    }
  })
}

/** The client learns from the broken connection that the answer it has is not whole. */
const hangUp = (response: ServerResponse) => {
  response.destroy()
  return answered
}
