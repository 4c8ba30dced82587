/**
 * Reads a long JSON text in one pass and a bounded time. `JSON.parse` builds every value, and holds up the whole process for
 * seconds by 4 MB of many keys: of such a text only what routing looks at is built.
 */

/** A text of up to this many characters is parsed as it is. */
export const shortLength = 64 * 1024

/** Values of a long text up to which all of it is built. */
const maxValues = 20_000

/** How deep a long text may be nested (RFC 8259 §9 leaves the bound to the reader). */
const maxDepth = 1000

/** How often a member that is looked at may stand in one object. */
const maxRepeats = 64

/** The elements of an outermost array, such as a batch, that are looked at. */
const maxElements = 1000

/** The depth down to which members are looked at: a message, its `params`, their `_meta`. */
const maxLevel = 3

/** Characters up to which a value that is looked at is built. */
const maxBuiltLength = 16 * 1024

/** The members of a message that are looked at, at any of the levels. */
const names: ReadonlySet<string> = new Set([
  ..."jsonrpc id method params result error _meta".split(" "),
  ..."code message data reason error_description detail".split(" "),
  ..."name uri taskId cursor nextCursor arguments progressToken requestId".split(" "),
  ..."protocolVersion supportedVersions capabilities serverInfo clientInfo inputResponses".split(" "),
  ..."protocolVersion clientCapabilities subscriptionId logLevel"
    .split(" ")
    .map((name) => `io.modelcontextprotocol/${name}`)
])

/**
 * The value of a long text; undefined if it is not JSON, or nested too deep. Of a text with many values it has the members
 * that routing looks at: an object or array that is long itself stands there empty.
 */
export const outlineOf = (text: string): unknown => {
  const reader = new OutlineReader(text)
  const value = reader.readText()
  if (value === undefined) return undefined
  return reader.values <= maxValues ? JSON.parse(text) : value
}

class OutlineReader {
  readonly #text: string
  #position = 0
  /** For each open container whether it is an object. */
  readonly #isObject = new Uint8Array(maxDepth + 1)
  values = 0

  constructor(text: string) {
    this.#text = text
  }

  readText(): unknown {
    this.#skipSpace()
    const value = this.#code() === openBracket ? this.#readElements() : this.#readValue(1)
    this.#skipSpace()
    return this.#position === this.#text.length ? value : undefined
  }

  /** Reads a value and gives it, or what stands for it; undefined if there is none. */
  #readValue(level: number): unknown {
    const start = this.#position
    if (this.#code() === openBrace && level <= maxLevel) {
      const members = this.#readMembers(level)
      return members === undefined || this.#position - start > maxBuiltLength ? members : this.#build(start)
    }
    if (!this.#skipValue(level)) return undefined
    if (this.#position - start <= maxBuiltLength) return this.#build(start)
    const first = this.#text.charCodeAt(start)
    if (first === openBrace) return {}
    return first === openBracket ? [] : null
  }

  #build(start: number): unknown {
    return JSON.parse(this.#text.slice(start, this.#position))
  }

  #readMembers(level: number): Readonly<Record<string, unknown>> | undefined {
    const members = new Map<string, unknown>()
    let repeats = 0
    this.#position += 1
    this.values += 1
    this.#skipSpace()
    if (this.#take(closeBrace)) return {}
    do {
      this.#skipSpace()
      const start = this.#position
      if (!this.#skipString()) return undefined
      const name = this.#nameFrom(start)
      this.#skipSpace()
      if (!this.#take(colon)) return undefined
      this.#skipSpace()
      if (name === undefined) {
        if (!this.#skipValue(level)) return undefined
      } else {
        const value = this.#readValue(level + 1)
        repeats += members.has(name) ? 1 : 0
        if (value === undefined || repeats > maxRepeats) return undefined
        members.set(name, value)
      }
      this.#skipSpace()
    } while (this.#take(comma))
    return this.#take(closeBrace) ? Object.fromEntries(members) : undefined
  }

  #readElements(): unknown {
    const elements: Array<unknown> = []
    this.#position += 1
    this.#skipSpace()
    if (this.#take(closeBracket)) return elements
    do {
      this.#skipSpace()
      if (elements.length < maxElements) {
        const element = this.#readValue(1)
        if (element === undefined) return undefined
        elements.push(element)
      } else {
        if (!this.#skipValue(1)) return undefined
        elements.length = maxElements
        this.values += maxValues
      }
      this.#skipSpace()
    } while (this.#take(comma))
    if (!this.#take(closeBracket)) return undefined
    return this.values > maxValues && elements.length === maxElements ? [] : elements
  }

  /** The name of a member if it is looked at. It may be written with escapes. */
  #nameFrom(start: number): string | undefined {
    if (this.#position - start > longestName) return undefined
    const source = this.#text.slice(start, this.#position)
    const name = source.includes("\\") ? String(JSON.parse(source)) : source.slice(1, -1)
    return names.has(name) ? name : undefined
  }

  /** Reads over a value; false if there is none. */
  #skipValue(level: number): boolean {
    const text = this.#text
    const base = level
    let depth = base
    for (;;) {
      // A value begins here.
      this.values += 1
      const code = this.#code()
      if (code === openBrace || code === openBracket) {
        depth += 1
        if (depth > maxDepth) return false
        this.#isObject[depth] = code === openBrace ? 1 : 0
        this.#position += 1
        this.#skipSpace()
        const isEmpty = this.#take(code === openBrace ? closeBrace : closeBracket)
        if (!isEmpty) {
          if (code === openBrace && !this.#skipKey()) return false
          continue
        }
        depth -= 1
      } else if (code === quote) {
        if (!this.#skipString()) return false
      } else if (code >= zero && code <= nine && endsWord(text.charCodeAt(this.#position + 1))) {
        this.#position += 1
      } else if (!this.#skipWord()) return false
      // A value has ended here.
      for (;;) {
        if (depth === base) return true
        if (text.charCodeAt(this.#position) <= 0x20) this.#skipSpace()
        const isObject = this.#isObject[depth] === 1
        const next = text.charCodeAt(this.#position)
        this.#position += 1
        if (next === comma) {
          this.#skipSpace()
          if (isObject && !this.#skipKey()) return false
          break
        }
        if (next !== (isObject ? closeBrace : closeBracket)) return false
        depth -= 1
      }
    }
  }

  #skipKey(): boolean {
    if (!this.#skipString()) return false
    this.#skipSpace()
    if (!this.#take(colon)) return false
    this.#skipSpace()
    return true
  }

  #skipString(): boolean {
    const text = this.#text
    if (this.#code() !== quote) return false
    for (let position = this.#position + 1; position < text.length; position += 1) {
      const code = text.charCodeAt(position)
      if (code === quote) {
        this.#position = position + 1
        return true
      }
      if (code < firstPrintable) return false
      if (code !== backslash) continue
      position += 1
      const escaped = text.charCodeAt(position)
      if (escaped === letterU) {
        for (let digit = 1; digit <= 4; digit += 1)
          if (!isHexDigit(text.charCodeAt(position + digit))) return false
        position += 4
      } else if (!simpleEscapes.includes(text.charAt(position)) || position >= text.length) return false
    }
    return false
  }

  /** A number, `true`, `false` or `null`. */
  #skipWord(): boolean {
    const start = this.#position
    let end = start
    while (isInWord(this.#text.charCodeAt(end))) end += 1
    if (end - start === 1) {
      const digit = this.#code()
      this.#position = end
      return digit >= zero && digit <= nine
    }
    this.#position = end
    const word = this.#text.slice(start, end)
    return word === "true" || word === "false" || word === "null" || number.test(word)
  }

  #skipSpace(): void {
    while (isSpace(this.#text.charCodeAt(this.#position))) this.#position += 1
  }

  #take(code: number): boolean {
    if (this.#code() !== code) return false
    this.#position += 1
    return true
  }

  #code(): number {
    return this.#text.charCodeAt(this.#position)
  }
}

const isSpace = (code: number): boolean => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09

/** Letters, digits, `+`, `-` and `.`: no more than these can stand in a number or a literal. */
const isInWord = (code: number): boolean =>
  (code >= zero && code <= nine) ||
  (code >= 0x61 && code <= 0x7a) ||
  code === 0x2b ||
  code === 0x2d ||
  code === 0x2e ||
  code === 0x45

/** Whether a number has ended before a character, as it most often has. */
const endsWord = (code: number): boolean => code === comma || code === closeBracket || code === closeBrace

const isHexDigit = (code: number): boolean =>
  (code >= zero && code <= nine) || (code >= 0x41 && code <= 0x46) || (code >= 0x61 && code <= 0x66)

const number = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/
const simpleEscapes = '"\\/bfnrt'
/** With every character escaped. */
const longestName = 6 * 64
const firstPrintable = 0x20
const [zero, nine, letterU] = [0x30, 0x39, 0x75]
const [quote, backslash, comma, colon, openBrace, closeBrace, openBracket, closeBracket] = [
  0x22, 0x5c, 0x2c, 0x3a, 0x7b, 0x7d, 0x5b, 0x5d
]
