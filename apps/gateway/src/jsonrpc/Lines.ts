import * as Stream from "effect/Stream"

/** A line without its line end; undefined for one that was longer than allowed. */
export type Line = string | undefined

/**
 * Splits UTF-8 bytes at line feeds. A carriage return before one belongs to the line end; what follows the last
 * line feed is a line too, if it is not empty.
 *
 * `Stream.splitLines` keeps an unfinished line however long it grows. Here a line longer than `maxLength` (UTF-16
 * units) is dropped: a peer that never ends its line must not exhaust the memory.
 */
export const boundedLines =
  (maxLength: number) =>
  <E, R>(bytes: Stream.Stream<Uint8Array, E, R>): Stream.Stream<Line, E, R> =>
    bytes.pipe(
      Stream.decodeText(),
      Stream.mapAccum(
        () => emptyLine,
        (line, text) => cut(line, text, maxLength),
        { onHalt: (line) => (line.length === 0 ? [] : [finish(line)]) }
      )
    )

interface UnfinishedLine {
  /** Joined only once the line ends; left out when it is too long already. */
  readonly pieces: ReadonlyArray<string> | undefined
  readonly length: number
}

const emptyLine: UnfinishedLine = { pieces: [], length: 0 }

const cut = (
  unfinished: UnfinishedLine,
  text: string,
  maxLength: number
): readonly [UnfinishedLine, ReadonlyArray<Line>] => {
  const lines: Array<Line> = []
  let line = unfinished
  let start = 0
  for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", start)) {
    lines.push(finish(extend(line, text.slice(start, end), maxLength)))
    line = emptyLine
    start = end + 1
  }
  return [extend(line, text.slice(start), maxLength), lines]
}

const extend = (line: UnfinishedLine, piece: string, maxLength: number): UnfinishedLine => {
  const length = line.length + piece.length
  return {
    pieces: line.pieces === undefined || length > maxLength ? undefined : [...line.pieces, piece],
    length
  }
}

const finish = (line: UnfinishedLine): Line => line.pieces?.join("").replace(/\r$/, "")
