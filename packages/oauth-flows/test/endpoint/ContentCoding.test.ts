import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as zlib from "node:zlib"
import { makeGrantsAnsweredBy, requestFor } from "../TestGrants.ts"
import { accessToken, failureOf } from "../TestLogin.ts"

const request = requestFor({ token_url: "https://as.example/token" })
const token = JSON.stringify({ access_token: "a-token", token_type: "Bearer", expires_in: 3600 })

const acquire = (body: Uint8Array<ArrayBuffer>, coding: string, status = 200) =>
  Effect.flatMap(
    makeGrantsAnsweredBy(() =>
      Effect.succeed(new Response(body, { status, headers: { "content-encoding": coding } }))
    ),
    ({ grants }) => Effect.result(grants.acquire(request, undefined))
  ).pipe(Effect.flatMap(Effect.fromResult))

const bytes = (buffer: Buffer) => new Uint8Array(buffer)

describe("an answer that is compressed although identity was asked for", () => {
  const codings: ReadonlyArray<readonly [name: string, body: Uint8Array<ArrayBuffer>]> = [
    ["gzip", bytes(zlib.gzipSync(token))],
    ["X-GZIP", bytes(zlib.gzipSync(token))],
    ["deflate", bytes(zlib.deflateSync(token))],
    ["deflate", bytes(zlib.deflateRawSync(token))],
    ["br", bytes(zlib.brotliCompressSync(token))],
    ["identity, gzip", bytes(zlib.gzipSync(token))],
    ["gzip, br", bytes(zlib.brotliCompressSync(zlib.gzipSync(token)))]
  ]
  it.effect.each(codings)("an answer in %s is read", ([coding, body]) =>
    Effect.map(acquire(body, coding), (token) => assert.strictEqual(accessToken(token), "a-token"))
  )

  it.effect("an answer is read when the HTTP client has decompressed it and left the header", () =>
    Effect.map(acquire(bytes(Buffer.from(token)), "gzip"), (token) =>
      assert.strictEqual(accessToken(token), "a-token")
    )
  )

  it.effect("a compressed refusal says the server's error code", () =>
    Effect.map(
      failureOf(acquire(bytes(zlib.gzipSync('{"error":"invalid_client"}')), "gzip", 401)),
      (reason) => assert.include(reason.message, "invalid_client")
    )
  )

  const bomb = zlib.gzipSync(JSON.stringify({ access_token: "a", padding: "x".repeat(32 * 1024 * 1024) }))
  const refused = [
    ["a bomb", bytes(bomb), "gzip", "its body is too large when it is decompressed"],
    ["a bomb within another", bytes(zlib.gzipSync(bomb)), "gzip, gzip", "too large when it is decompressed"],
    [
      "nothing that is compressed",
      bytes(Buffer.from("no gzip at all")),
      "gzip",
      "neither a JSON object nor a form"
    ],
    ["an unknown coding", bytes(Buffer.from(token)), "zstd-9", "`Content-Encoding` that is not known"],
    ["too many layers", bytes(Buffer.from(token)), "gzip,gzip,gzip,gzip", "compressed too many times"]
  ] as const
  it.effect.each(refused)("the answer is refused: %s", ([, body, coding, problem]) =>
    Effect.map(failureOf(acquire(body, coding)), (reason) => {
      assert.strictEqual(reason._tag, "InvalidResponse")
      assert.include(reason.message, problem)
    })
  )
})
