import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { boundedLines } from "../../src/jsonrpc/Lines.ts"

const linesOf = (chunks: ReadonlyArray<Uint8Array>, maxLength = 100) =>
  Stream.fromIterable(chunks).pipe(
    boundedLines(maxLength),
    Stream.runCollect,
    Effect.map((lines) => [...lines])
  )

const text = "one\r\n\ntwö\n\u2028thrée"
const bytes = new TextEncoder().encode(text)
const lines = ["one", "", "twö", "\u2028thrée"]

describe("boundedLines", () => {
  it.effect("boundedLines finds the same lines however the bytes are split", () =>
    Effect.gen(function* () {
      for (let size = 1; size <= bytes.length; size += 1) {
        const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
          bytes.subarray(index * size, (index + 1) * size)
        )
        assert.deepStrictEqual(yield* linesOf(chunks), lines)
      }
    })
  )

  it.effect("boundedLines drops a line that is too long and continues with the next", () =>
    Effect.gen(function* () {
      const chunks = ["a", "bcdef", "ghijk\nl", "mnop\nlonger\n"].map((chunk) =>
        new TextEncoder().encode(chunk)
      )
      assert.deepStrictEqual(yield* linesOf(chunks, 5), [undefined, "lmnop", undefined])
    })
  )
})
