/**
 * Reads a long JSON-RPC text in slices, between which other work can be done. `JSON.parse` builds every value, and holds up
 * the whole process for seconds by 4 MB of many keys: of a long text only what routing looks at is built.
 */
import {
  backslash,
  closeBrace,
  closeBracket,
  colon,
  comma,
  endsWord,
  firstPrintable,
  isHexDigit,
  isInWord,
  isSpace,
  letterU,
  nine,
  number,
  openBrace,
  openBracket,
  quote,
  simpleEscapes,
  zero
} from "./JsonCharacters.ts"
import type { TextRange } from "./JsonText.ts"
import { isLookedAt } from "./RoutedMembers.ts"

/** A text of up to this many characters is parsed as it is. */
export const shortLength = 64 * 1024

/** Characters that are read at once: about a millisecond. */
export const sliceLength = 32 * 1024

/** How deep a long text may be nested (RFC 8259 §9 leaves the bound to the reader). */
const maxDepth = 1000

/** The messages of a long batch. */
const maxMessages = 1000

/** The members of a message that are looked at. */
const maxMembers = 1000

/** The length of a number (RFC 8259 §9). */
const maxNumberLength = 1000

/** The depth down to which members are looked at: a message, its `params`, their `_meta`. */
const maxLevel = 3

/** A member that is looked at, with its name. */
export interface MemberRange extends TextRange {
  readonly keyStart: number
}

/** Where the members of a message stand that are looked at, by `pathKey`. */
export type MemberRanges = ReadonlyMap<string, ReadonlyArray<MemberRange>>

export const pathKey = (path: ReadonlyArray<string>): string => JSON.stringify(path)

/** One value of a text, with the members that routing looks at. A value that is long itself stands there empty. */
export interface Outline extends TextRange {
  readonly value: unknown
  readonly members: MemberRanges
}

/** Why a text is not read. */
export class Unreadable extends Error {
  /** Whether it goes beyond a bound, and may be JSON. */
  readonly isBeyondBound: boolean
  constructor(message: string, isBeyondBound: boolean) {
    super(message)
    this.isBeyondBound = isBeyondBound
  }
}

/**
 * Gives the outline of a text, or those of the elements if it is an array. Pauses after each slice.
 *
 * @throws {Unreadable}
 */
export function* readOutline(
  text: string
): Generator<void, { readonly outlines: ReadonlyArray<Outline>; readonly isArray: boolean }> {
  return yield* new OutlineReader(text).readText()
}

class OutlineReader {
  readonly #text: string
  #position = 0
  #nextPause = sliceLength
  /** For each open container whether it is an object. */
  readonly #isObject = new Uint8Array(maxDepth + 1)
  /** The members of the message that is being read. */
  #members = new Map<string, Array<MemberRange>>()
  #memberCount = 0
  #messageStart = 0

  constructor(text: string) {
    this.#text = text
  }

  *readText() {
    this.#skipSpace()
    const isArray = this.#code() === openBracket
    const outlines = isArray ? yield* this.#readElements() : [yield* this.#readOutline()]
    this.#skipSpace()
    if (this.#position !== this.#text.length) throw notJson
    return { outlines, isArray }
  }

  *#readElements(): Generator<void, ReadonlyArray<Outline>> {
    const elements: Array<Outline> = []
    this.#position += 1
    this.#skipSpace()
    if (this.#take(closeBracket)) return elements
    do {
      if (elements.length === maxMessages)
        throw beyond(`a batch of more than ${maxMessages} messages`, "Send them in several batches")
      this.#skipSpace()
      elements.push(yield* this.#readOutline())
      this.#skipSpace()
    } while (this.#take(comma))
    this.#expect(closeBracket)
    return elements
  }

  *#readOutline(): Generator<void, Outline> {
    const start = this.#position
    this.#messageStart = start
    this.#memberCount = 0
    this.#members = new Map()
    const value = yield* this.#readValue([])
    return { start, end: this.#position, value, members: this.#members }
  }

  /** Reads a value and gives it, or what stands for it. */
  *#readValue(path: ReadonlyArray<string>): Generator<void, unknown> {
    const start = this.#position
    const code = this.#code()
    let outline: unknown = code === openBrace ? {} : code === openBracket ? [] : null
    if (code === openBrace && path.length < maxLevel) outline = yield* this.#readMembers(path)
    else if (code === openBracket && pathKey(path) === toolsPath) outline = yield* this.#readTools()
    else yield* this.#skipValue(path.length)
    return this.#position - start <= sliceLength ? this.#build(start) : outline
  }

  #build(start: number): unknown {
    return JSON.parse(this.#text.slice(start, this.#position))
  }

  *#readMembers(path: ReadonlyArray<string>): Generator<void, Readonly<Record<string, unknown>>> {
    const members = new Map<string, unknown>()
    this.#position += 1
    this.#skipSpace()
    if (this.#take(closeBrace)) return {}
    do {
      this.#skipSpace()
      const keyStart = this.#position
      yield* this.#skipString()
      const name = this.#nameFrom(keyStart)
      this.#skipColon()
      if (name === undefined || !isLookedAt(name, path, members.size)) yield* this.#skipValue(path.length + 1)
      else {
        const start = this.#position
        const here = [...path, name]
        members.set(name, yield* this.#readValue(here))
        this.#remember(here, { keyStart, start, end: this.#position })
      }
      this.#skipSpace()
    } while (this.#take(comma))
    this.#expect(closeBrace)
    return Object.fromEntries(members)
  }

  #remember(path: ReadonlyArray<string>, { end, keyStart, start }: MemberRange): void {
    this.#memberCount += 1
    if (this.#memberCount > maxMembers)
      throw beyond(
        `a message that names its \`id\` or other members of the protocol more than ${maxMembers} times`,
        "Name each once"
      )
    const key = pathKey(path)
    const ranges = this.#members.get(key) ?? []
    this.#members.set(key, ranges)
    const offset = this.#messageStart
    ranges.push({ keyStart: keyStart - offset, start: start - offset, end: end - offset })
  }

  /** The definitions of tools, each of which is built if it is not too long itself. */
  *#readTools(): Generator<void, ReadonlyArray<unknown>> {
    const tools: Array<unknown> = []
    this.#position += 1
    this.#skipSpace()
    if (this.#take(closeBracket)) return tools
    do {
      this.#skipSpace()
      const start = this.#position
      yield* this.#skipValue(maxLevel)
      if (this.#position - start <= shortLength) tools.push(this.#build(start))
      this.#skipSpace()
    } while (this.#take(comma))
    this.#expect(closeBracket)
    return tools
  }

  /** The name of a member, which may be written with escapes; undefined if it is long. */
  #nameFrom(start: number): string | undefined {
    if (this.#position - start > longestName) return undefined
    const source = this.#text.slice(start, this.#position)
    return source.includes("\\") ? String(JSON.parse(source)) : source.slice(1, -1)
  }

  /** Reads over a value at a depth. */
  *#skipValue(base: number): Generator<void> {
    const text = this.#text
    let depth = base
    for (;;) {
      if (this.#position >= this.#nextPause) {
        this.#nextPause = this.#position + sliceLength
        yield
      }
      // A value begins here.
      const code = this.#code()
      if (code === openBrace || code === openBracket) {
        depth += 1
        if (depth > maxDepth)
          throw beyond(
            `a message of more than ${maxDepth} levels of lists and objects`,
            "Nest it less deeply"
          )
        this.#isObject[depth] = code === openBrace ? 1 : 0
        this.#position += 1
        this.#skipSpace()
        if (!this.#take(code === openBrace ? closeBrace : closeBracket)) {
          if (code === openBrace) yield* this.#skipKey()
          continue
        }
        depth -= 1
      } else if (code === quote) yield* this.#skipString()
      else if (code >= zero && code <= nine && endsWord(text.charCodeAt(this.#position + 1)))
        this.#position += 1
      else this.#skipWord()
      // A value has ended here.
      for (;;) {
        if (depth === base) return
        this.#skipSpace()
        const isObject = this.#isObject[depth] === 1
        if (this.#take(comma)) {
          this.#skipSpace()
          if (isObject) yield* this.#skipKey()
          break
        }
        this.#expect(isObject ? closeBrace : closeBracket)
        depth -= 1
      }
    }
  }

  *#skipKey(): Generator<void> {
    yield* this.#skipString()
    this.#skipColon()
  }

  #skipColon(): void {
    this.#skipSpace()
    this.#expect(colon)
    this.#skipSpace()
  }

  *#skipString(): Generator<void> {
    this.#expect(quote)
    while (!this.#skipToQuote()) yield
  }

  /** Reads on behind the end of a string; false if that is not in this slice. */
  #skipToQuote(): boolean {
    const text = this.#text
    const end = Math.min(this.#position + sliceLength, text.length)
    let position = this.#position
    while (position < end) {
      const code = text.charCodeAt(position)
      if (code === quote) {
        this.#position = position + 1
        return true
      }
      if (code < firstPrintable) throw notJson
      position += code === backslash ? this.#lengthOfEscape(position) : 1
    }
    if (position >= text.length) throw notJson
    this.#position = position
    return false
  }

  #lengthOfEscape(position: number): number {
    const text = this.#text
    const escaped = text.charCodeAt(position + 1)
    if (escaped !== letterU) {
      if (!simpleEscapes.has(escaped)) throw notJson
      return 2
    }
    for (let digit = 2; digit <= 5; digit += 1)
      if (!isHexDigit(text.charCodeAt(position + digit))) throw notJson
    return 6
  }

  /** A number, `true`, `false` or `null`. */
  #skipWord(): void {
    const start = this.#position
    let end = start
    while (isInWord(this.#text.charCodeAt(end)) && end - start <= maxNumberLength) end += 1
    if (end - start > maxNumberLength)
      throw beyond(`a number of more than ${maxNumberLength} characters`, "Send it as text")
    const word = this.#text.slice(start, end)
    if (word !== "true" && word !== "false" && word !== "null" && !number.test(word)) throw notJson
    this.#position = end
  }

  #skipSpace(): void {
    while (isSpace(this.#text.charCodeAt(this.#position))) this.#position += 1
  }

  #take(code: number): boolean {
    if (this.#code() !== code) return false
    this.#position += 1
    return true
  }

  #expect(code: number): void {
    if (!this.#take(code)) throw notJson
  }

  #code(): number {
    return this.#text.charCodeAt(this.#position)
  }
}

const toolsPath = pathKey(["result", "tools"])

const notJson = new Unreadable("This is not JSON", false)

const beyond = (what: string, advice: string): Unreadable =>
  new Unreadable(`The gateway does not read ${what}. ${advice}`, true)

/** With every character escaped. */
const longestName = 6 * 64
