import { constants } from "node:buffer"
import * as Stream from "effect/Stream"
import { textOf } from "./JsonRpc.ts"

/** A line without its line end; undefined for one that was longer than allowed. */
export type Line = string | undefined

/** Looks at a line that is too long to be kept, while its bytes pass. */
export interface Remains<A> {
  readonly read: (bytes: Uint8Array) => void
  /** What is known of the line at its end. */
  readonly finish: () => A
}

/** How bytes are split into lines. */
export interface LineOptions<A> {
  /** The most bytes of a line, without its line end. A longer one is dropped: a peer that never ends its line must not exhaust the memory. */
  readonly maxBytes: number
  /** `crOrLf`: a carriage return alone ends a line, too. A blank line may then stand between two lines. */
  readonly lineEnd: "lf" | "crOrLf"
  /** Begins a look at a line that is dropped. */
  readonly onTooLong: () => Remains<A>
}

/** Splits UTF-8 bytes at line feeds. A carriage return before one belongs to the line end. */
export const boundedLines = (
  maxBytes: number
): (<E, R>(bytes: Stream.Stream<Uint8Array, E, R>) => Stream.Stream<Line, E, R>) =>
  lines({ maxBytes, lineEnd: "lf", onTooLong: () => nothing })

/** Splits UTF-8 bytes into lines. What follows the last line end is a line too, if it is not empty. */
export const lines =
  <A>(options: LineOptions<A>) =>
  <E, R>(bytes: Stream.Stream<Uint8Array, E, R>): Stream.Stream<string | A, E, R> =>
    bytes.pipe(
      Stream.mapAccum(
        () => makeLineReader(options),
        (reader, chunk: Uint8Array) => [reader, reader.read(chunk)],
        { onHalt: (reader) => reader.finish() }
      )
    )

/** Gives the lines that end in the bytes it reads. */
export interface LineReader<A> {
  readonly read: (bytes: Uint8Array) => ReadonlyArray<string | A>
  /** The line that was not ended, if it is not empty. */
  readonly finish: () => ReadonlyArray<string | A>
}

/** Makes a reader of lines. The time and the memory it takes do not depend on how the bytes are split. */
export const makeLineReader = <A>({ lineEnd, onTooLong, ...options }: LineOptions<A>): LineReader<A> => {
  const maxBytes = Math.min(options.maxBytes, constants.MAX_STRING_LENGTH)
  const kept = makeGrowingBytes()
  let tooLong: Remains<A> | undefined

  const keep = (bytes: Uint8Array) => {
    if (tooLong === undefined && kept.length() + bytes.length > maxBytes + 1) {
      tooLong = onTooLong()
      tooLong.read(kept.take())
    }
    if (tooLong === undefined) kept.add(bytes)
    else tooLong.read(bytes)
  }

  /** The line whose last bytes these are. Most lines come whole, and are not copied. */
  const end = (bytes: Uint8Array): string | A => {
    if (tooLong === undefined && kept.length() === 0) {
      const line = withoutReturn(bytes)
      if (line.length <= maxBytes) return textOf(line)
    }
    keep(bytes)
    if (tooLong === undefined) {
      const line = withoutReturn(kept.take())
      if (line.length <= maxBytes) return textOf(line)
      tooLong = onTooLong()
      tooLong.read(line)
    }
    const remains = tooLong.finish()
    tooLong = undefined
    return remains
  }

  return {
    read: (bytes) => {
      const found: Array<string | A> = []
      let start = 0
      for (const position of lineEnds(bytes, lineEnd)) {
        found.push(end(bytes.subarray(start, position)))
        start = position + 1
      }
      if (start < bytes.length) keep(bytes.subarray(start))
      return found
    },
    finish: () => (kept.length() === 0 && tooLong === undefined ? [] : [end(new Uint8Array())])
  }
}

function* lineEnds(bytes: Uint8Array, lineEnd: "lf" | "crOrLf"): Generator<number> {
  let feed = bytes.indexOf(lineFeed)
  let carriage = lineEnd === "lf" ? -1 : bytes.indexOf(carriageReturn)
  while (feed !== -1 || carriage !== -1) {
    if (carriage === -1 || (feed !== -1 && feed < carriage)) {
      yield feed
      feed = bytes.indexOf(lineFeed, feed + 1)
    } else {
      yield carriage
      carriage = bytes.indexOf(carriageReturn, carriage + 1)
    }
  }
}

/** Bytes that are added one after the other, in one piece: a peer may write one at a time. */
const makeGrowingBytes = () => {
  let bytes: Uint8Array = new Uint8Array()
  let length = 0
  return {
    length: () => length,
    add: (more: Uint8Array) => {
      if (length + more.length > bytes.length) {
        const larger = Buffer.allocUnsafe(Math.max(2 * bytes.length, length + more.length, 1024))
        larger.set(bytes.subarray(0, length))
        bytes = larger
      }
      bytes.set(more, length)
      length += more.length
    },
    /** The bytes, which are forgotten here. */
    take: (): Uint8Array => {
      const taken = bytes.subarray(0, length)
      bytes = new Uint8Array()
      length = 0
      return taken
    }
  }
}

const withoutReturn = (line: Uint8Array): Uint8Array =>
  line.at(-1) === carriageReturn ? line.subarray(0, -1) : line

const lineFeed = 0x0a
const carriageReturn = 0x0d

const nothing: Remains<undefined> = { read: () => {}, finish: () => undefined }
