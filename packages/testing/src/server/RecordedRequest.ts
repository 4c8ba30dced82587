import * as Effect from "effect/Effect"
import type { IncomingHttpHeaders, IncomingMessage } from "node:http"
import { text } from "node:stream/consumers"
import { TLSSocket } from "node:tls"

/** One request as the stub received it, its body complete. */
export interface RecordedRequest {
  readonly method: string
  /** The path without the query, by which answers are chosen. */
  readonly path: string
  /** The request target of the request line, unchanged. */
  readonly rawUrl: string
  /** Names in lower case, repeated headers joined the way `node:http` does. */
  readonly headers: Readonly<IncomingHttpHeaders>
  /** Names and values as sent, in order, repetitions kept. */
  readonly rawHeaders: ReadonlyArray<readonly [name: string, value: string]>
  readonly body: string
  /** The body read as `application/x-www-form-urlencoded`, whatever its content type says. */
  readonly form: URLSearchParams
  /** SHA-256 of the client certificate as colon-separated hex, when one was presented. */
  readonly peerFingerprint256: string | undefined
}

/** Reads a request to its end. Never completes when the peer hangs up first. */
export const recordRequest = Effect.fnUntraced(function* (request: IncomingMessage) {
  const body = yield* Effect.tryPromise(() => text(request)).pipe(Effect.catch(() => Effect.never))
  const rawUrl = request.url ?? "/"
  const recorded: RecordedRequest = {
    method: request.method ?? "",
    path: rawUrl.split("?", 1)[0] ?? rawUrl,
    rawUrl,
    headers: request.headers,
    rawHeaders: pairs(request.rawHeaders),
    body,
    form: new URLSearchParams(body),
    peerFingerprint256: peerFingerprint(request)
  }
  return recorded
})

const pairs = (flat: ReadonlyArray<string>) =>
  Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i] ?? "", flat[2 * i + 1] ?? ""] as const)

const peerFingerprint = ({ socket }: IncomingMessage): string | undefined =>
  socket instanceof TLSSocket ? socket.getPeerX509Certificate()?.fingerprint256 : undefined
