/** The characters of a JSON text (RFC 8259), as UTF-16 units. */

export const isSpace = (code: number): boolean =>
  code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09

/** Letters, digits, `+`, `-` and `.`: no more than these can stand in a number or a literal. */
export const isInWord = (code: number): boolean =>
  (code >= zero && code <= nine) ||
  (code >= 0x61 && code <= 0x7a) ||
  code === 0x2b ||
  code === 0x2d ||
  code === 0x2e ||
  code === 0x45

/** Whether a number has ended before a character, as it most often has. */
export const endsWord = (code: number): boolean =>
  code === comma || code === closeBracket || code === closeBrace

export const isHexDigit = (code: number): boolean =>
  (code >= zero && code <= nine) || (code >= 0x41 && code <= 0x46) || (code >= 0x61 && code <= 0x66)

export const number = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/
export const simpleEscapes: ReadonlySet<number> = new Set(
  Array.from('"\\/bfnrt', (character) => character.charCodeAt(0))
)
export const firstPrintable = 0x20
export const [zero, nine, letterU] = [0x30, 0x39, 0x75]
export const [quote, backslash, comma, colon, openBrace, closeBrace, openBracket, closeBracket] = [
  0x22, 0x5c, 0x2c, 0x3a, 0x7b, 0x7d, 0x5b, 0x5d
]
