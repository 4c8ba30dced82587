import * as fc from "fast-check"
import { encodedSecret } from "./Secrets.ts"

/** Characters of an input, unless a target says otherwise. */
export const longestText = 64 * 1024

/** Texts on which readers have stumbled. */
const troublesome = [
  "",
  " ",
  "\0",
  "\r\nset-cookie: a=b\r\n\r\n",
  "\u001B]8;;https://evil.example\u0007link\u001B]8;;\u0007",
  "\u001B[2J\u009B31m",
  "\u2028\uFEFF",
  "\uD800",
  "é😀",
  "__proto__",
  "constructor",
  "toString",
  "null",
  "undefined",
  "NaN",
  "-0",
  "1e999",
  "9007199254740993",
  "-1",
  "%",
  "%00%0d%0a",
  "%ff",
  "../../etc/passwd",
  "file:///etc/passwd",
  "javascript:alert(1)",
  "https://user:password@evil.example/",
  "http://[::1]:99999/",
  "//evil.example",
  "<script>alert(1)</script>",
  "${env:HOME}",
  '"',
  "\\",
  "'",
  ",",
  "{}",
  "[]"
]

const pieces = [
  "a",
  "(",
  "\\",
  '\\"',
  '"',
  " ",
  ",",
  "=",
  ";",
  "[",
  '{"a":',
  "%25",
  "&#38;",
  "é",
  "\u001B[",
  "a,b=",
  "\r\n",
  "\t"
]

const long: fc.Arbitrary<string> = fc
  .tuple(fc.constantFrom(...pieces), fc.integer({ min: 1, max: longestText }))
  .map(([piece, count]) => piece.repeat(Math.ceil(count / piece.length)).slice(0, longestText))

// Made once: that takes a fifth of a second.
const binary = fc.string({ unit: "binary", maxLength: 40 })
const shortBinary = fc.string({ unit: "binary", maxLength: 8 })
const graphemes = fc.string({ unit: "grapheme-ascii", maxLength: 40 })

/** Texts for places where somebody else may write what they like. */
export const hostileText = (secrets: ReadonlyArray<string> = []): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...troublesome) },
    { weight: 4, arbitrary: binary },
    { weight: 4, arbitrary: graphemes },
    { weight: 1, arbitrary: long },
    ...(secrets.length === 0 ? [] : [{ weight: 6, arbitrary: aroundSecret(secrets) }])
  )

const aroundSecret = (secrets: ReadonlyArray<string>): fc.Arbitrary<string> =>
  fc.tuple(shortBinary, encodedSecret(secrets), fc.string({ maxLength: 8 })).map((parts) => parts.join(""))

/** A change of a text, by shares of its length. */
interface Edit {
  readonly at: number
  readonly length: number
  readonly kind: "remove" | "insert" | "repeat" | "replace" | "cut"
  readonly word: string
}

const apply = (text: string, { at, kind, length, word }: Edit): string => {
  const start = Math.floor(at * text.length)
  const end = Math.min(text.length, start + length)
  const [before, part, behind] = [text.slice(0, start), text.slice(start, end), text.slice(end)]
  const changed: Record<Edit["kind"], () => string> = {
    remove: () => before + behind,
    insert: () => before + word + part + behind,
    repeat: () => before + part.repeat(4) + behind,
    replace: () => before + word + behind,
    cut: () => before
  }
  return changed[kind]().slice(0, longestText)
}

/** Texts that somebody has damaged in up to four places. */
export const damaged = (texts: fc.Arbitrary<string>, words: fc.Arbitrary<string>): fc.Arbitrary<string> => {
  const edit = fc.record<Edit>({
    at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    length: fc.integer({ min: 0, max: 200 }),
    kind: fc.constantFrom("remove", "insert", "repeat", "replace", "cut"),
    word: words
  })
  return fc.tuple(texts, fc.array(edit, { maxLength: 4 })).map(([text, edits]) => edits.reduce(apply, text))
}

/** Mostly whole texts, some damaged. */
export const sometimesDamaged = (
  texts: fc.Arbitrary<string>,
  words: fc.Arbitrary<string>
): fc.Arbitrary<string> =>
  fc.oneof({ weight: 2, arbitrary: texts }, { weight: 1, arbitrary: damaged(texts, words) })

/** The UTF-8 bytes of a text, one in each character: what inputs are made of. */
export const bytesOf = (text: string): string => Buffer.from(text).toString("latin1")

/** The bytes that a text stands for. */
export const bufferOf = (bytes: string): Buffer<ArrayBuffer> => Buffer.from(bytes, "latin1")
