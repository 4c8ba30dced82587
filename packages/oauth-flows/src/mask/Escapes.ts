import { collectBytes, type LocatedBytes } from "./LocatedBytes.ts"

/** Escapes within escapes, as in a JSON text in a URL. Nobody nests them deeper. */
const maxPasses = 4

/**
 * A text, and what is left of it after each pass that takes out percent, JSON and HTML escapes. The last has none,
 * unless they were nested deeper than anybody nests them.
 */
export const unescapePasses = (text: LocatedBytes): ReadonlyArray<LocatedBytes> => {
  const passes = [text]
  let last = text
  for (let pass = 0; pass < maxPasses; pass += 1) {
    const next = unescapeOnce(last)
    if (next === last) break
    passes.push(next)
    last = next
  }
  return passes
}

/** An escape: the bytes that it stands for, and how many it takes. */
interface Escape {
  readonly bytes: ReadonlyArray<number>
  readonly length: number
}

const percent = 0x25
const ampersand = 0x26
const backslash = 0x5c

const unescapeOnce = (from: LocatedBytes): LocatedBytes => {
  const { bytes } = from
  if (![percent, ampersand, backslash].some((sign) => bytes.includes(sign))) return from
  const to = collectBytes(bytes.length)
  let changed = false
  for (let at = 0; at < bytes.length;) {
    const escape = escapeAt(bytes, at)
    if (escape === undefined) {
      to.push(bytes[at] ?? 0, from.starts[at] ?? 0, from.ends[at] ?? 0)
      at += 1
      continue
    }
    changed = true
    const end = from.ends[at + escape.length - 1] ?? 0
    for (const byte of escape.bytes) to.push(byte, from.starts[at] ?? 0, end)
    at += escape.length
  }
  return changed ? to.finish() : from
}

const escapeAt = (bytes: Uint8Array, at: number): Escape | undefined => {
  switch (bytes[at]) {
    case percent:
      return percentEscape(bytes, at)
    case backslash:
      return backslashEscape(bytes, at)
    case ampersand:
      return htmlEntity(bytes, at)
    default:
      return undefined
  }
}

/** `%41`, and `%2541` of one that was escaped again. */
const percentEscape = (bytes: Uint8Array, at: number): Escape | undefined => {
  let digits = at + 1
  while (
    bytes[digits] === 0x32 &&
    bytes[digits + 1] === 0x35 &&
    hexNumber(bytes, digits + 2, 2) !== undefined
  )
    digits += 2
  const byte = hexNumber(bytes, digits, 2)
  return byte === undefined ? undefined : { bytes: [byte], length: digits + 2 - at }
}

/** `\n`, `\u0041`, `\u{41}`, `\x41`, `\"`: any number of backslashes, because each escaping doubles them. */
const backslashEscape = (bytes: Uint8Array, at: number): Escape => {
  let after = at
  while (bytes[after] === backslash) after += 1
  const letter = String.fromCharCode(bytes[after] ?? 0).toLowerCase()
  const numbers = { u: 4, x: 2 } as const
  if (letter === "u" || letter === "x") {
    const digits = numbers[letter]
    const high = hexNumber(bytes, after + 1, digits)
    if (high !== undefined) return numericEscape(bytes, at, after + 1 + digits, high)
    const braced = letter === "u" ? bracedNumber(bytes, after + 1) : undefined
    if (braced !== undefined) return { bytes: utf8Of(braced.number), length: after + 1 + braced.length - at }
  }
  if ("nrtbfv".includes(letter)) return { bytes: [0x20], length: after + 1 - at }
  const escaped = bytes[after]
  return escaped === undefined || /[\w%&]/.test(letter)
    ? { bytes: [], length: after - at }
    : { bytes: [escaped], length: after + 1 - at }
}

/** The second half of a surrogate pair, if this is the first one, belongs to it. */
const numericEscape = (bytes: Uint8Array, at: number, end: number, unit: number): Escape => {
  if (unit < 0xd800 || unit > 0xdbff) return { bytes: utf8Of(unit), length: end - at }
  let next = end
  while (bytes[next] === backslash) next += 1
  const low = next > end && bytes[next] === 0x75 ? hexNumber(bytes, next + 1, 4) : undefined
  return low === undefined || low < 0xdc00 || low > 0xdfff
    ? { bytes: utf8Of(unit), length: end - at }
    : { bytes: utf8Of(0x1_00_00 + ((unit - 0xd800) << 10) + (low - 0xdc00)), length: next + 5 - at }
}

const bracedNumber = (bytes: Uint8Array, at: number) => {
  const found = /^\{([0-9a-f]{1,6})\}/i.exec(Buffer.from(bytes.subarray(at, at + 8)).toString("latin1"))
  return found?.[1] === undefined
    ? undefined
    : { number: Number.parseInt(found[1], 16), length: found[0].length }
}

const hexNumber = (bytes: Uint8Array, at: number, digits: number): number | undefined => {
  let number = 0
  for (let offset = 0; offset < digits; offset += 1) {
    const digit = hexDigit(bytes[at + offset])
    if (digit === undefined) return undefined
    number = number * 16 + digit
  }
  return number
}

/** The value of a hexadecimal digit; undefined for any other byte. */
export const hexDigit = (byte: number | undefined): number | undefined => {
  if (byte === undefined) return undefined
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : undefined
}

/** Numeric ones with as many zeros as fit, and named ones of ASCII. */
const longestEntity = 16

const htmlEntity = (bytes: Uint8Array, at: number): Escape | undefined => {
  const text = Buffer.from(bytes.subarray(at, at + longestEntity)).toString("latin1")
  const found = /^&(?:#x(?<hex>[0-9a-f]{1,10});?|#(?<decimal>\d{1,10});?|(?<name>[a-z]{2,8});)/i.exec(text)
  const { decimal, hex, name } = found?.groups ?? {}
  if (found === null) return undefined
  const codePoint =
    hex !== undefined
      ? Number.parseInt(hex, 16)
      : decimal !== undefined
        ? Number(decimal)
        : entities.get(name?.toLowerCase() ?? "")
  return codePoint === undefined ? undefined : { bytes: utf8Of(codePoint), length: found[0].length }
}

/** The names of HTML for characters of ASCII, in lower case. */
const entities: ReadonlyMap<string, number> = new Map(
  Object.entries({
    tab: "\t",
    newline: "\n",
    nbsp: " ",
    excl: "!",
    quot: '"',
    num: "#",
    dollar: "$",
    percnt: "%",
    amp: "&",
    apos: "'",
    lpar: "(",
    rpar: ")",
    ast: "*",
    midast: "*",
    plus: "+",
    comma: ",",
    period: ".",
    sol: "/",
    colon: ":",
    semi: ";",
    lt: "<",
    equals: "=",
    gt: ">",
    quest: "?",
    commat: "@",
    lsqb: "[",
    lbrack: "[",
    bsol: "\\",
    rsqb: "]",
    rbrack: "]",
    hat: "^",
    lowbar: "_",
    underbar: "_",
    grave: "`",
    lcub: "{",
    lbrace: "{",
    verbar: "|",
    vert: "|",
    rcub: "}",
    rbrace: "}"
  }).map(([name, character]) => [name, character.charCodeAt(0)])
)

const utf8Of = (codePoint: number): ReadonlyArray<number> =>
  codePoint < 0x80
    ? [codePoint]
    : [...Buffer.from(codePoint > 0x10_ff_ff ? "\uFFFD" : String.fromCodePoint(codePoint), "utf8")]
