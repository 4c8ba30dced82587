/** Bytes, and where each of them stands in the text. */
export interface LocatedBytes {
  readonly bytes: Uint8Array
  readonly starts: Int32Array
  readonly ends: Int32Array
}

/** Bytes that are a text of their own. */
export const inPlace = (bytes: Uint8Array): LocatedBytes => {
  const starts = new Int32Array(bytes.length)
  const ends = new Int32Array(bytes.length)
  for (let at = 0; at < bytes.length; at += 1) {
    starts[at] = at
    ends[at] = at + 1
  }
  return { bytes, starts, ends }
}

/** The bytes of a text in UTF-8. */
export const locate = (text: string): LocatedBytes => {
  const bytes = Buffer.from(text, "utf8")
  if (bytes.length === text.length) return inPlace(bytes)
  const starts = new Int32Array(bytes.length)
  const ends = new Int32Array(bytes.length)
  let at = 0
  let start = 0
  for (const character of text) {
    const length = utf8Length(character.codePointAt(0) ?? 0)
    starts.fill(start, at, at + length)
    ends.fill(start + character.length, at, at + length)
    start += character.length
    at += length
  }
  return { bytes, starts, ends }
}

/** Lone surrogates are written as U+FFFD, which has three bytes, too. */
const utf8Length = (codePoint: number): number =>
  codePoint < 0x80 ? 1 : codePoint < 0x800 ? 2 : codePoint < 0x1_00_00 ? 3 : 4

/** Collects bytes, of which there are no more than the capacity. */
export const collectBytes = (capacity: number) => {
  const bytes = new Uint8Array(capacity)
  const starts = new Int32Array(capacity)
  const ends = new Int32Array(capacity)
  let size = 0
  return {
    push: (byte: number, start: number, end: number) => {
      bytes[size] = byte
      starts[size] = start
      ends[size] = end
      size += 1
    },
    finish: (): LocatedBytes => ({
      bytes: bytes.subarray(0, size),
      starts: starts.subarray(0, size),
      ends: ends.subarray(0, size)
    })
  }
}
