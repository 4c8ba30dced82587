import { hexDigit, unescapePasses } from "./Escapes.ts"
import { collectBytes, inPlace, locate, type LocatedBytes } from "./LocatedBytes.ts"

/** A part of a text. */
export interface Place {
  readonly start: number
  /** Exclusive. */
  readonly end: number
}

/** A text in one reading, in lower case: a character for each byte of UTF-8, white space as one space, no controls. */
export interface Reading {
  readonly bytes: Uint8Array
  /** The same as a string. */
  readonly text: string
  /** Where a part of it stands in the text that was read. */
  readonly placeOf: (start: number, end: number) => Place
}

/**
 * Every reading of a text that may show what it holds, itself first: without its percent, JSON and HTML escapes, however
 * often and however they are mixed, and with what may be hexadecimal or base64 (base64url) decoded, from every
 * position. Takes time in proportion to the text.
 */
export const readingsOf = (text: string): ReadonlyArray<Reading> => {
  const passes = unescapePasses(locate(text))
  const decoded = passes
    .slice(-1)
    .flatMap((plain) => [hexadecimal, base64].flatMap((encoding) => decodedReadings(plain, encoding)))
  return [...passes.map(canonical), ...decoded]
}

/** Bytes themselves, and without any of their escapes, each as in a reading. */
export const plainReadingsOf = (bytes: Uint8Array): ReadonlyArray<string> => {
  const passes = unescapePasses(inPlace(bytes))
  return [passes.at(0), passes.at(-1)].flatMap((pass) => (pass === undefined ? [] : [canonical(pass).text]))
}

/** What a byte is in a reading: 0 for a control, which is left out. */
const canonicalBytes = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte === 0x20 || (byte >= 0x09 && byte <= 0x0d)) return 0x20
  if (byte < 0x20 || byte === 0x7f) return 0
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte
})

/** Between parts that do not belong together. No other control is in a reading, so nothing is found across it. */
const separator = 0x01

const space = 0x20

const canonical = ({ bytes, ends, starts }: LocatedBytes): Reading => {
  const shown = new Uint8Array(bytes.length)
  const origins = new Int32Array(bytes.length)
  let size = 0
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = canonicalBytes[bytes[at] ?? 0] ?? 0
    if (byte === 0 || (byte === space && shown[size - 1] === space)) continue
    shown[size] = byte
    origins[size] = at
    size += 1
  }
  return readingOf(shown.subarray(0, size), (start, end) => ({
    start: starts[origins[start] ?? 0] ?? 0,
    end: ends[origins[end - 1] ?? 0] ?? 0
  }))
}

const readingOf = (bytes: Uint8Array, placeOf: Reading["placeOf"]): Reading => ({
  bytes,
  text: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1"),
  placeOf
})

/** An encoding that writes bytes as digits. */
interface Encoding {
  /** The value of each byte that is a digit, and {@link none} of any other. */
  readonly digits: Uint8Array
  readonly bitsPerDigit: number
  /** The digits that hold whole bytes. */
  readonly group: number
  /** Fewer digits in a row hold no secret. */
  readonly shortest: number
}

/** Of a byte that is no digit. */
const none = 0xff

const encodingWith = (
  digits: (byte: number) => number | undefined,
  rest: Omit<Encoding, "digits">
): Encoding => ({
  digits: Uint8Array.from({ length: 256 }, (_, byte) => digits(byte) ?? none),
  ...rest
})

const hexadecimal = encodingWith(hexDigit, { bitsPerDigit: 4, group: 2, shortest: 8 })

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

/** Both alphabets (RFC 4648 §4 and §5). */
const base64 = encodingWith(
  (byte) => {
    const value = alphabet.indexOf(String.fromCharCode(byte).replace("-", "+").replace("_", "/"))
    return value < 0 ? undefined : value
  },
  { bitsPerDigit: 6, group: 4, shortest: 6 }
)

/** What is encoded may begin anywhere in a text, so a group of digits may, too. */
const decodedReadings = (plain: LocatedBytes, encoding: Encoding): ReadonlyArray<Reading> => {
  const packed = withoutSpace(plain)
  const digits = packed.bytes.map((byte) => encoding.digits[byte] ?? none)
  dropShort(digits, encoding.shortest)
  return digits.some((digit) => digit !== none)
    ? Array.from({ length: encoding.group }, (_, phase) => decode(packed, digits, encoding, phase))
    : []
}

/** Line breaks within what is encoded do not matter. */
const withoutSpace = (plain: LocatedBytes): LocatedBytes => {
  const isSpace = (byte: number) => canonicalBytes[byte] === space
  if (!plain.bytes.some(isSpace)) return plain
  const to = collectBytes(plain.bytes.length)
  for (let at = 0; at < plain.bytes.length; at += 1) {
    const byte = plain.bytes[at] ?? 0
    if (!isSpace(byte)) to.push(byte, plain.starts[at] ?? 0, plain.ends[at] ?? 0)
  }
  return to.finish()
}

const dropShort = (digits: Uint8Array, shortest: number): void => {
  let start = 0
  for (let at = 0; at <= digits.length; at += 1) {
    if (at < digits.length && digits[at] !== none) continue
    if (at - start < shortest) digits.fill(none, start, at)
    start = at + 1
  }
}

/**
 * Each byte begins in one digit and ends in the next.
 *
 * @param phase where the first group begins
 */
const decode = (
  { bytes, ends, starts }: LocatedBytes,
  digits: Uint8Array,
  { bitsPerDigit, group }: Encoding,
  phase: number
): Reading => {
  const shown = new Uint8Array(digits.length + 1)
  const origins = new Int32Array(digits.length + 1)
  let size = 0
  let position = 0
  for (let at = phase; at + 1 < digits.length; at += 1) {
    const [digit, next] = [digits[at] ?? none, digits[at + 1] ?? none]
    // Of base64: 6 and 2 bits, 4 and 4, 2 and 6.
    const ofNext = 8 - bitsPerDigit + position * (8 - bitsPerDigit)
    const isDigit = digit !== none && next !== none
    const byte = isDigit
      ? (canonicalBytes[((digit << ofNext) | (next >> (bitsPerDigit - ofNext))) & 0xff] ?? 0)
      : separator
    const endsGroup = position === group - 1
    position = endsGroup ? 0 : position + 1
    if (endsGroup || byte === 0 || ((byte === space || !isDigit) && shown[size - 1] === byte)) continue
    shown[size] = byte
    origins[size] = at
    size += 1
  }
  return readingOf(shown.subarray(0, size), (start, end) => ({
    start: starts[origins[start] ?? 0] ?? 0,
    end: ends[withPadding(bytes, (origins[end - 1] ?? 0) + 2) - 1] ?? 0
  }))
}

/** Where the padding of base64 ends, if it begins here. */
const withPadding = (bytes: Uint8Array, at: number): number =>
  bytes[at] !== equalsSign ? at : bytes[at + 1] === equalsSign ? at + 2 : at + 1

const equalsSign = 0x3d
