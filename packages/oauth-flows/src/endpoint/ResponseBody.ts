import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type { Headers } from "effect/http/Headers"
import type { HttpClientError } from "effect/http/HttpClientError"
import type { HttpClientResponse } from "effect/http/HttpClientResponse"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { decodeContent } from "./ContentCoding.ts"

/** Why a body is of no use. Never quotes it. */
export class UnusableBody extends Data.TaggedError("UnusableBody")<{ readonly problem: string }> {}

const kibibyte = 1024

/** Of an answer with a token, which may hold a long one. */
const longestAnswer = 1024 * kibibyte

/** Of metadata and of registrations: what real servers send is a hundredth of it. */
export const longestDocument = 256 * kibibyte

/**
 * Reads a body as UTF-8, without a byte order mark. Stops reading as soon as it is over the limit. One that is
 * compressed although it was not asked for is decompressed, within the same bound.
 *
 * @param maxBytes default 1 MiB
 */
export const readBody = (
  response: HttpClientResponse,
  maxBytes: number = longestAnswer
): Effect.Effect<string, UnusableBody | HttpClientError> => {
  const { headers } = response
  const bytes = isShort(headers, maxBytes) ? response.arrayBuffer : readPieces(response, maxBytes)
  return Effect.flatMap(bytes, (body) =>
    Effect.fromResult(
      Result.mapError(
        Result.flatMap(
          decodeContent(new Uint8Array(body), headers["content-encoding"], maxBytes),
          decodeUtf8
        ),
        (problem) => new UnusableBody({ problem })
      )
    )
  )
}

/** A body ends where its `content-length` says (RFC 9112 §6.3), so a short one needs no look at each piece. */
const isShort = (headers: Headers, maxBytes: number): boolean => {
  const { "content-encoding": encoding, "content-length": length } = headers
  return encoding === undefined && length !== undefined && /^\d+$/.test(length) && Number(length) <= maxBytes
}

const readPieces = (response: HttpClientResponse, maxBytes: number) =>
  response.stream.pipe(
    Stream.runFoldEffect(
      () => ({ chunks: new Array<Uint8Array>(), size: 0 }),
      ({ chunks, size }, chunk) => {
        if (size + chunk.length > maxBytes) return tooLong(maxBytes)
        chunks.push(chunk)
        return Effect.succeed({ chunks, size: size + chunk.length })
      }
    ),
    Effect.map(({ chunks }) => Buffer.concat(chunks))
  )

const tooLong = (maxBytes: number) => {
  const kibibytes = maxBytes / kibibyte
  const limit = kibibytes < kibibyte ? `${kibibytes} KiB` : `${kibibytes / kibibyte} MiB`
  return new UnusableBody({ problem: `its body is over ${limit}` })
}

const decodeUtf8 = (body: Uint8Array): Result.Result<string, string> =>
  Result.try({
    try: () => new TextDecoder("utf-8", { fatal: true }).decode(body),
    catch: () => "its body is not UTF-8 text"
  })

/** The fields of an answer, JSON or form-encoded. */
export type ResponseFields = Readonly<Record<string, unknown>>

/**
 * Reads a body as JSON (RFC 6749 §5.1) or, as some servers send it, as a form. Looks at the body itself, because
 * the content type is wrong too often. Fails with a description that never quotes the body.
 */
export const parseFields = (body: string): Result.Result<ResponseFields, string> => {
  const text = body.trim()
  if (text === "") return Result.fail("its body is empty")
  if (text.startsWith("<")) return Result.fail("it is an HTML or XML page, not JSON")
  if (text.startsWith("{")) return parseJsonObject(text)
  if (/^[\w.-]+=/.test(text)) return parseForm(text)
  return Result.fail("it is neither a JSON object nor a form")
}

/** Real servers send a tenth of it. To parse and copy a hundred thousand values would stop everybody else. */
const mostValues = 5000

const hasTooManyValues = (text: string): boolean => {
  let values = 0
  for (let at = 0; at < text.length && values <= mostValues; at += 1) {
    if (beginsValue.has(text.charCodeAt(at))) values += 1
  }
  return values > mostValues
}

/** What stands before a value: a comma, a bracket or a brace. In a text it counts, too. */
const beginsValue: ReadonlySet<number> = new Set([0x2c, 0x5b, 0x7b])

const parseJsonObject = (text: string): Result.Result<ResponseFields, string> => {
  if (hasTooManyValues(text)) return Result.fail(`its JSON has over ${mostValues} values`)
  const parsed = Result.try((): unknown => JSON.parse(text))
  return Result.isSuccess(parsed) && Predicate.isObject(parsed.success)
    ? Result.succeed({ ...parsed.success })
    : Result.fail("its JSON is incomplete or malformed")
}

/** RFC 6749 §3.2: a parameter must not stand there twice. */
const parseForm = (text: string): Result.Result<ResponseFields, string> => {
  const entries = [...new URLSearchParams(text)]
  return new Set(entries.map(([name]) => name)).size === entries.length
    ? Result.succeed(Object.fromEntries(entries))
    : Result.fail("its form has a parameter twice")
}
