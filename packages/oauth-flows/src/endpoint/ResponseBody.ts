import * as Effect from "effect/Effect"
import type { HttpClientError } from "effect/http/HttpClientError"
import type { HttpClientResponse } from "effect/http/HttpClientResponse"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { decodeContent } from "./ContentCoding.ts"

const kibibyte = 1024

/** Of an answer with a token, which may hold a long one, in bytes. */
export const longestAnswer = 1024 * kibibyte

/** Of metadata and of registrations, in bytes: what real servers send is a hundredth of it. */
export const longestDocument = 256 * kibibyte

/** Reads a body as it is. Stops as soon as it is over the limit, and gives undefined. */
export const readBytes = (
  response: HttpClientResponse,
  maxBytes: number
): Effect.Effect<Uint8Array | undefined, HttpClientError> =>
  response.stream.pipe(
    Stream.runFoldEffect(
      () => ({ pieces: new Array<Uint8Array>(), size: 0 }),
      ({ pieces, size }, piece) => {
        if (size + piece.length > maxBytes) return Effect.fail(tooLong)
        pieces.push(piece)
        return Effect.succeed({ pieces, size: size + piece.length })
      }
    ),
    Effect.map(({ pieces }) => Buffer.concat(pieces)),
    Effect.catchTag("TooLong", () => Effect.undefined),
    // Some clients say so of an answer that has no content, such as one of status 204.
    Effect.catchReason("HttpClientError", "EmptyBodyError", () => Effect.succeed(nothing))
  )

const nothing = new Uint8Array()

const tooLong = { _tag: "TooLong" } as const

/**
 * A body as UTF-8 text, without a byte order mark. One that is compressed although it was not asked for is decompressed,
 * within the same bound. Fails with a description that never quotes it.
 *
 * @param bytes undefined if there were too many
 * @param contentEncoding the header, if there is one
 */
export const bodyText = (
  bytes: Uint8Array | undefined,
  contentEncoding: string | undefined,
  maxBytes: number
): Result.Result<string, string> =>
  bytes === undefined
    ? Result.fail(`its body is over ${shownSize(maxBytes)}`)
    : Result.flatMap(decodeContent(bytes, contentEncoding, maxBytes), decodeUtf8)

const shownSize = (bytes: number): string => {
  const kibibytes = bytes / kibibyte
  return kibibytes < kibibyte ? `${kibibytes} KiB` : `${kibibytes / kibibyte} MiB`
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
