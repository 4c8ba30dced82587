import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type { HttpClientError } from "effect/http/HttpClientError"
import type { HttpClientResponse } from "effect/http/HttpClientResponse"
import * as Stream from "effect/Stream"

/** Why a body is of no use. Never quotes it. */
export class UnusableBody extends Data.TaggedError("UnusableBody")<{ readonly problem: string }> {}

const maxBytes = 1024 * 1024

/** Reads a body as UTF-8, without a byte order mark. Stops reading as soon as it is over 1 MiB. */
export const readBody = (
  response: HttpClientResponse
): Effect.Effect<string, UnusableBody | HttpClientError> =>
  response.stream.pipe(
    Stream.runFoldEffect(
      () => ({ chunks: new Array<Uint8Array>(), size: 0 }),
      ({ chunks, size }, chunk) => {
        if (size + chunk.length > maxBytes) return new UnusableBody({ problem: "its body is over 1 MiB" })
        chunks.push(chunk)
        return Effect.succeed({ chunks, size: size + chunk.length })
      }
    ),
    Effect.flatMap(({ chunks }) => decodeUtf8(chunks))
  )

const decodeUtf8 = (chunks: ReadonlyArray<Uint8Array>): Effect.Effect<string, UnusableBody> =>
  Effect.try({
    try: () => {
      const decoder = new TextDecoder("utf-8", { fatal: true })
      return chunks.map((chunk) => decoder.decode(chunk, { stream: true })).join("") + decoder.decode()
    },
    catch: () => new UnusableBody({ problem: "its body is not UTF-8 text" })
  })
