import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as zlib from "node:zlib"

type Decode = (body: Uint8Array, options: zlib.ZlibOptions & zlib.BrotliOptions) => Uint8Array

/** Some servers send `deflate` without the frame that RFC 9110 §8.4.1.2 asks for. */
const inflate: Decode = (body, options) => {
  const isFramed = body[0] !== undefined && (body[0] & 0x0f) === 8
  return isFramed ? zlib.inflateSync(body, options) : zlib.inflateRawSync(body, options)
}

const codings: ReadonlyMap<string, Decode> = new Map<string, Decode>([
  ["gzip", zlib.gunzipSync],
  ["x-gzip", zlib.gunzipSync],
  ["deflate", inflate],
  ["br", zlib.brotliDecompressSync]
])

/** Nobody compresses more often than this. */
const maxLayers = 3

/**
 * Undoes the content codings of a body (RFC 9110 §8.4). Fails with a description that never quotes the body.
 *
 * @param contentEncoding the header, if there is one
 * @param maxBytes bounds the result of each step, so that a small body cannot fill the memory
 */
export const decodeContent = (
  body: Uint8Array,
  contentEncoding: string | undefined,
  maxBytes: number
): Result.Result<Uint8Array, string> => {
  const names = (contentEncoding ?? "")
    .toLowerCase()
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "" && name !== "identity")
  if (names.length > maxLayers) return Result.fail("its body is compressed too many times")
  return names
    .toReversed()
    .reduce<Result.Result<Uint8Array, string>>(
      (decoded, name) => Result.flatMap(decoded, (bytes) => decodeOnce(bytes, name, maxBytes)),
      Result.succeed(body)
    )
}

const decodeOnce = (body: Uint8Array, name: string, maxBytes: number): Result.Result<Uint8Array, string> => {
  const decode = codings.get(name)
  if (decode === undefined) return Result.fail("its body has a `Content-Encoding` that is not known here")
  const decoded = Result.try({
    try: () => decode(body, { maxOutputLength: maxBytes }),
    catch: (error) => Predicate.hasProperty(error, "code") && error.code === "ERR_BUFFER_TOO_LARGE"
  })
  if (Result.isSuccess(decoded)) return Result.succeed(decoded.success)
  return decoded.failure
    ? Result.fail("its body is too large when it is decompressed")
    : // fetch decompresses by itself and leaves the header. A body that is broken is not understood by its reader.
      Result.succeed(body)
}
