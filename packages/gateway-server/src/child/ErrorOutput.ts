import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import { boundedLines } from "../jsonrpc/Lines.ts"

const maxLogLineBytes = 64 * 1024
const maxLastLines = 20
const maxLastLength = 2000

/**
 * Logs the error output of a child, line by line, until it ends.
 *
 * @param redact takes the child's secrets out of a line
 * @param lastLines gets the last lines as they were logged, up to 20 and 2000 characters together
 */
export const logErrorOutput = <E>(
  output: Stream.Stream<Uint8Array, E>,
  redact: (text: string) => string,
  lastLines: Ref.Ref<ReadonlyArray<string>>
): Effect.Effect<void> =>
  output.pipe(
    boundedLines(maxLogLineBytes),
    Stream.runForEach((line) => {
      if (line === undefined)
        return Effect.logWarning("MCP server wrote a line to its error output that is too long for the log")
      const shown = redact(asShown(line))
      return Effect.andThen(
        Ref.update(lastLines, (lines) => lastOf([...lines, shown])),
        shown.trim() === "" ? Effect.void : Effect.logInfo(shown)
      )
    }),
    Effect.ignore
  )

/** Prints the error output of a child, line by line, until it ends. What is too long for a line is left out. */
export const printErrorOutput = <E>(output: Stream.Stream<Uint8Array, E>): Effect.Effect<void> =>
  output.pipe(
    boundedLines(maxLogLineBytes),
    Stream.runForEach((line) => (line === undefined ? Effect.void : Console.error(asShown(line)))),
    Effect.ignore
  )

/** A terminal shows of a progress bar, whose states are separated by carriage returns, only the last. */
const asShown = (line: string): string => line.slice(line.lastIndexOf("\r") + 1)

const lastOf = (lines: ReadonlyArray<string>): ReadonlyArray<string> => {
  let length = 0
  return lines
    .slice(-maxLastLines)
    .toReversed()
    .flatMap((line) => {
      const left = maxLastLength - length
      length += line.length
      if (left <= 0) return []
      return [line.length > left ? `...${line.slice(-left)}` : line]
    })
    .toReversed()
}
