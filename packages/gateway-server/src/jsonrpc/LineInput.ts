import * as Effect from "effect/Effect"
import { finished, type Readable } from "node:stream"
import { type LineOptions, type LineReader, makeLineReader } from "./Lines.ts"

/** Takes a line. If it gives an effect, that has to complete before the next line is taken. */
export type OnLine<A> = (line: string | A) => Effect.Effect<void> | undefined

/** Takes the lines of an input, one after the other, up to its end. No fiber runs while nothing has to be waited for. Fails as
 * the input does. */
export const readLines = <A>(
  input: Readable,
  options: LineOptions<A>,
  onLine: OnLine<A>
): Effect.Effect<void, unknown> =>
  Effect.acquireUseRelease(
    Effect.sync(() => new InputLines(input, makeLineReader(options), onLine)),
    (lines) =>
      Effect.gen(function* () {
        for (;;) {
          const wait = yield* lines.untilWait
          if (wait === undefined) return
          yield* wait
        }
      }),
    (lines) => Effect.sync(() => lines.close())
  )

class InputLines<A> {
  readonly #input: Readable
  readonly #reader: LineReader<A>
  readonly #onLine: OnLine<A>
  readonly #unwatch: () => void
  #lines: ReadonlyArray<string | A> = []
  #next = 0
  /** Nothing more comes. */
  #end: Effect.Effect<undefined, unknown> | undefined
  #resume: ((next: Effect.Effect<Effect.Effect<void> | undefined, unknown>) => void) | undefined

  constructor(input: Readable, reader: LineReader<A>, onLine: OnLine<A>) {
    this.#input = input
    this.#reader = reader
    this.#onLine = onLine
    input.pause().on("data", this.#onData)
    this.#unwatch = finished(input, { readable: true, writable: false }, (error) => {
      this.#add(reader.finish())
      this.#end = error ? Effect.fail(error) : Effect.undefined
      this.#takeLines()
    })
  }

  /** Takes lines until one has to be waited for, and gives that effect; undefined at the end. */
  readonly untilWait = Effect.callback<Effect.Effect<void> | undefined, unknown>((resume) => {
    this.#resume = resume
    this.#input.resume()
    this.#takeLines()
  })

  close(): void {
    this.#unwatch()
    this.#input.off("data", this.#onData)
    this.#input.on("error", () => {}).destroy()
  }

  readonly #onData = (chunk: Uint8Array): void => {
    this.#add(this.#reader.read(chunk))
    this.#takeLines()
    // Node resumes the output of a child that has ended.
    if (this.#resume === undefined) this.#input.pause()
  }

  #add(lines: ReadonlyArray<string | A>): void {
    this.#lines = this.#next === this.#lines.length ? lines : [...this.#lines.slice(this.#next), ...lines]
    this.#next = 0
  }

  #takeLines(): void {
    while (this.#resume !== undefined && this.#next < this.#lines.length) {
      const line = this.#lines[this.#next]
      this.#next += 1
      const wait = line === undefined ? undefined : this.#onLine(line)
      if (wait !== undefined) this.#wait(Effect.succeed(wait))
    }
    if (this.#end !== undefined) this.#wait(this.#end)
  }

  #wait(next: Effect.Effect<Effect.Effect<void> | undefined, unknown>): void {
    this.#input.pause()
    const resume = this.#resume
    this.#resume = undefined
    resume?.(next)
  }
}
