import * as Effect from "effect/Effect"
import type * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Stream from "effect/Stream"
import { Readable } from "node:stream"
import type { Dispatcher } from "undici"

/**
 * An `HttpClient` over connections of undici. It follows no redirect, changes no body, and leaves time limits to the
 * caller.
 *
 * That of `@effect/platform-node` cannot be loaded in a program given with `node -e`: there it takes the name of the
 * program, `[eval]`, for the path of a file.
 */
export const makeDispatcherHttpClient = (dispatcher: Dispatcher): HttpClient.HttpClient =>
  HttpClient.make((request, url, signal) =>
    Effect.tryPromise({
      try: async () => {
        const { body, headers } = bodyOf(request.body)
        const answer = await dispatcher.request({
          method: request.method,
          origin: url.origin,
          path: url.pathname + url.search,
          headers: { ...request.headers, ...headers },
          body,
          signal
        })
        return HttpClientResponse.fromWeb(request, responseOf(answer))
      },
      catch: (cause) =>
        new HttpClientError.HttpClientError({
          reason: new HttpClientError.TransportError({ request, cause })
        })
    })
  )

/** Statuses whose answers have no body (RFC 9110 §15.3.5, §15.3.6, §15.4.5): a `Response` refuses one. */
const withoutBody: ReadonlySet<number> = new Set([204, 205, 304])

const responseOf = ({ body, headers, statusCode }: Dispatcher.ResponseData): Response => {
  const fields = Object.entries(headers).flatMap(([name, value = []]) =>
    [value].flat().map((one): [string, string] => [name, one])
  )
  if (!withoutBody.has(statusCode))
    return new Response(Readable.toWeb(body), { status: statusCode, headers: fields })
  body.resume()
  return new Response(null, { status: statusCode, headers: fields })
}

interface OutgoingBody {
  readonly body: string | Uint8Array | Readable | null
  readonly headers?: Readonly<Record<string, string>>
}

const bodyOf = (body: HttpBody.HttpBody): OutgoingBody => {
  switch (body._tag) {
    case "Empty":
      return { body: null }
    case "Uint8Array":
      return { body: body.body }
    case "Stream":
      return { body: Readable.fromWeb(Stream.toReadableStream(body.stream)) }
    case "Raw":
    case "FormData":
      return encoded(body._tag === "Raw" ? body.body : body.formData)
  }
}

/** A body as `fetch` takes it, in the bytes that `fetch` would send. */
const encoded = (content: unknown): OutgoingBody => {
  if (typeof content === "string" || content instanceof Uint8Array) return { body: content }
  const response = new Response(content as ConstructorParameters<typeof Response>[0])
  const type = response.headers.get("content-type")
  return {
    body: response.body === null ? null : Readable.fromWeb(response.body),
    ...(type === null ? {} : { headers: { "content-type": type } })
  }
}
