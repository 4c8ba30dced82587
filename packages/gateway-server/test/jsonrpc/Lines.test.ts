import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as fc from "fast-check"
import { boundedLines, makeLineReader, type LineOptions } from "../../src/jsonrpc/Lines.ts"

const encode = (text: string) => new TextEncoder().encode(text)

const linesOf = (chunks: ReadonlyArray<Uint8Array>, maxBytes = 100) =>
  Stream.fromIterable(chunks).pipe(
    boundedLines(maxBytes),
    Stream.runCollect,
    Effect.map((lines) => [...lines])
  )

const readAll = (chunks: ReadonlyArray<Uint8Array>, options: Partial<LineOptions<number>> = {}) => {
  const reader = makeLineReader<number>({
    maxBytes: 100,
    lineEnd: "crOrLf",
    onTooLong: () => {
      let seen = 0
      return { read: (bytes) => void (seen += bytes.length), finish: () => seen }
    },
    ...options
  })
  return [...chunks.flatMap((chunk) => reader.read(chunk)), ...reader.finish()]
}

/** The bytes of a text in pieces that end at some positions. */
const cutAt = (bytes: Uint8Array, positions: ReadonlyArray<number>) => {
  const cuts = [0, ...positions.map((position) => position % (bytes.length + 1)), bytes.length].toSorted(
    (a, b) => a - b
  )
  return cuts.slice(1).map((end, index) => bytes.subarray(cuts[index], end))
}

const text = "one\r\n\ntwö\n\u2028thrée"
const lines = ["one", "", "twö", "\u2028thrée"]

describe("boundedLines", () => {
  it.effect("boundedLines finds the same lines however the bytes are split", () =>
    Effect.gen(function* () {
      const bytes = encode(text)
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
      const chunks = ["a", "bcdef", "ghijk\nl", "mnop\nlonger\n"].map(encode)
      assert.deepStrictEqual(yield* linesOf(chunks, 5), [undefined, "lmnop", undefined])
    })
  )
})

describe("makeLineReader", () => {
  it("the lines are those of a text split at its line ends, however the bytes are split", () => {
    const word = fc.constantFrom("a", "é", "😀", " ", "\r", "\n", "\r\n", "\uFFFD", "0123456789")
    fc.assert(
      fc.property(fc.array(word, { maxLength: 60 }), fc.array(fc.nat(), { maxLength: 30 }), (words, cuts) => {
        const whole = words.join("")
        const expected = whole.split(/[\r\n]/)
        if (expected.at(-1) === "") expected.pop()
        const maxBytes = 12
        assert.deepStrictEqual(
          readAll(cutAt(encode(whole), cuts), { maxBytes }),
          expected.map((line) => (encode(line).length > maxBytes ? encode(line).length : line))
        )
      })
    )
  })

  it("the limit counts bytes, not characters, and not the line end", () => {
    assert.deepStrictEqual(readAll([encode("ééé\r\n1234567\n123456")], { maxBytes: 6, lineEnd: "lf" }), [
      "ééé",
      7,
      "123456"
    ])
  })

  it("a byte order mark before a line is no part of it", () => {
    assert.deepStrictEqual(readAll([encode("\uFEFFone\n\uFEFFtwo")]), ["one", "two"])
  })

  it("what is dropped is shown whole to who looks at it", () => {
    for (const size of [1, 7, 1000]) {
      const bytes = encode("x".repeat(999) + "\ny\n")
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
        bytes.subarray(index * size, (index + 1) * size)
      )
      assert.deepStrictEqual(readAll(chunks, { maxBytes: 10 }), [999, "y"])
    }
  })

  it("a long line that comes byte by byte takes time in proportion to its length", () => {
    const time = (length: number) => {
      const reader = makeLineReader({ maxBytes: length, lineEnd: "lf", onTooLong: () => assert.fail() })
      const byte = encode("x")
      const begun = performance.now()
      for (let index = 0; index < length; index += 1) reader.read(byte)
      assert.lengthOf(reader.finish(), 1)
      return performance.now() - begun
    }
    time(100_000)
    // Sixteen times the bytes took 256 times as long.
    assert.isBelow(time(1_600_000), 100 * Math.max(time(100_000), 5))
  })
})
