import * as NodeStream from "@effect/platform-node/NodeStream"
import * as Effect from "effect/Effect"
import * as Cookies from "effect/http/Cookies"
import * as Headers from "effect/http/Headers"
import type * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import type { HttpClientRequest } from "effect/http/HttpClientRequest"
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
        return responseOf(request, answer)
      },
      catch: (cause) =>
        new HttpClientError.HttpClientError({
          reason: new HttpClientError.TransportError({ request, cause })
        })
    })
  )

/**
 * The response of Effect, with the body of undici: read as it comes, and not through the streams of the Web, which cost a
 * token request more than the rest of its way through this process.
 */
const responseOf = (
  request: HttpClientRequest,
  { body, headers, statusCode }: Dispatcher.ResponseData
): HttpClientResponse.HttpClientResponse => {
  const response = HttpClientResponse.fromWeb(request, new Response(null, { status: statusCode }))
  // One that nobody reads any more may break all the same.
  body.on("error", () => undefined)
  const broken = (cause: unknown) =>
    new HttpClientError.HttpClientError({
      reason: new HttpClientError.DecodeError({ request, response, cause })
    })
  const fields = Headers.fromInput(headers)
  const read = Effect.tryPromise({ try: () => body.arrayBuffer(), catch: broken })
  let bytes: Effect.Effect<ArrayBuffer, HttpClientError.HttpClientError> | undefined
  return Object.defineProperties(response, {
    headers: { value: fields },
    cookies: { get: () => Cookies.fromSetCookie([headers["set-cookie"] ?? []].flat()) },
    arrayBuffer: { get: () => (bytes ??= Effect.runSync(Effect.cached(read))) },
    formData: {
      get: () =>
        Effect.flatMap(read, (content) =>
          Effect.tryPromise({
            try: () => new Response(content, { headers: fields }).formData(),
            catch: broken
          })
        )
    },
    stream: { get: () => NodeStream.fromReadable({ evaluate: () => body, onError: broken }) }
  })
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
