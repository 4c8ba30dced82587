import type { IncomingHttpHeaders, ServerResponse } from "node:http"
import { Writable } from "node:stream"
import { ClientCertificates } from "@secure-mcp/mtls"
import { OAuthService, parseChallenge } from "@secure-mcp/oauth-core"
import {
  accepted,
  type AttemptOutcome,
  type HttpServerEntry,
  refused,
  refusesToken,
  withAccessToken
} from "@secure-mcp/transport-injection"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Dispatcher } from "undici"
import { requestHeaders, responseHeaders } from "./ForwardedHeaders.ts"
import { outgoingBody } from "./RequestBody.ts"
import { type Exchange, type Upstream, UpstreamFailure } from "./Upstream.ts"

/** An MCP server that speaks Streamable HTTP: exchanges are passed on, with the token added. */
export const makeHttpUpstream = Effect.fnUntraced(function* (
  entry: HttpServerEntry,
  tokenRequest: Upstream["tokenRequest"]
) {
  const certificates = yield* ClientCertificates
  const oauth = yield* OAuthService
  const { origin, pathname, search } = new URL(entry.url)
  const ownHeaders = Object.fromEntries(
    Object.entries(entry.headers).map(([name, value]) => [name.toLowerCase(), Redacted.value(value)])
  )

  const unreachable = (problem: string) =>
    new UpstreamFailure({ serverName: entry.serverName, reason: "UpstreamUnreachable", problem })

  const send = (exchange: Exchange, dispatcher: Dispatcher, token: Redacted.Redacted | undefined) =>
    forward(exchange, dispatcher, {
      origin,
      path: pathname + search,
      headers: requestHeaders(
        exchange.request.headers,
        token === undefined ? ownHeaders : { ...ownHeaders, authorization: `Bearer ${Redacted.value(token)}` }
      ),
      withholdsRefusals: token !== undefined
    }).pipe(Effect.mapError(unreachable))

  return {
    tokenRequest,
    handle: Effect.fnUntraced(function* (exchange) {
      const { dispatcher } = yield* certificates
        .connection(entry.oauth)
        .pipe(Effect.mapError((error) => unreachable(error.message)))
      const request = tokenRequest(exchange.caller)
      if (request === undefined) return yield* Effect.asVoid(send(exchange, dispatcher, undefined))
      let attempts = 0
      return yield* withAccessToken(request, (token) => {
        attempts += 1
        return attempts > 1 && exchange.body.rest !== undefined
          ? Effect.succeed(refused(401))
          : send(exchange, dispatcher, token)
      }).pipe(Effect.provideService(OAuthService, oauth))
    })
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
 * fails, in plain words, while nothing of an answer has been written. Interrupting it hangs up on the server.
 */
const forward = ({ body, request, response }: Exchange, dispatcher: Dispatcher, destination: Destination) =>
  Effect.callback<AttemptOutcome<void>, string>((resume, signal) => {
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
            resume(Effect.succeed(refused(statusCode, challenge)))
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
        else resume(Effect.fail(describe(error, destination.origin)))
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

/** Node's error code says what went wrong without quoting addresses or headers. */
const describe = (error: Error, origin: string): string => {
  const code = "code" in error && typeof error.code === "string" ? error.code : error.name
  const explanation = explanations[code] ?? code
  return origin.startsWith("https:") && closed.has(code)
    ? `${explanation}; if it asks for a client certificate, see \`use_mtls\``
    : explanation
}

/** TLS 1.3 refuses a missing certificate after the handshake, and the alert may be lost with the connection. */
const closed: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE", "UND_ERR_SOCKET"])

const explanations: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "the connection was reset",
  ENOTFOUND: "the host name is unknown",
  HTTPParserError: "what came back is not HTTP",
  UND_ERR_SOCKET: "the connection was closed before an answer came",
  UND_ERR_CONNECT_TIMEOUT: "no connection in time",
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: "it asks for a client certificate; see `use_mtls`",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is self-signed; see `ca_bundle_path`",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate chain is self-signed; see `ca_bundle_path`",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate is not trusted; see `ca_bundle_path`",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its certificate is not trusted; see `ca_bundle_path`",
  CERT_HAS_EXPIRED: "its certificate has expired",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another host"
}
