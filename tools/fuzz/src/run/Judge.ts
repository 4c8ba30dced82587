import { findCanaries } from "@secure-mcp/testing"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { Recorder } from "./Recorder.ts"
import { Broken, type Target, type Trial } from "./Target.ts"
import { nextTurn, type TurnWatch } from "./TurnWatch.ts"
import type { InputUnderWay } from "./UnderWay.ts"

/** The longest computation between two turns of the event loop, in milliseconds. */
export const longestComputation = 50

/** How often an input that was too slow is tried again: only the fastest time counts. */
const repetitions = 3

/** How long an input may go without an answer on a busy machine. */
const patience = Duration.seconds(15)

/** What an input is judged with. */
export interface Instruments {
  readonly recorder: Recorder
  readonly watch: TurnWatch
  /** Called with each input before it is tried. */
  readonly noteInput: (underWay: InputUnderWay) => void
}

interface Attempt {
  readonly problem: string | undefined
  readonly isLate: boolean
  /** Milliseconds. */
  readonly computation: number
}

/** Which invariant an input breaks; undefined if it breaks none. */
export const judge = Effect.fnUntraced(function* <Input>(
  { secrets }: Pick<Target<Input>, "secrets">,
  trial: Trial<Input>,
  input: Input,
  { recorder, watch }: Pick<Instruments, "recorder" | "watch">
) {
  const attempt = Effect.gen(function* () {
    watch.begin()
    const exit = yield* trial(input).pipe(recorder.record, Effect.timeoutOption(patience), Effect.exit)
    yield* nextTurn
    const computation = watch.end()
    const isLate = Exit.isSuccess(exit) && Option.isNone(exit.value)
    const seen = Exit.isSuccess(exit) ? Option.getOrElse(exit.value, () => []) : [Cause.pretty(exit.cause)]
    const problem =
      crashOf(recorder.takeUncaught(), exit) ??
      (isLate ? `an answer: there was none within ${Duration.toSeconds(patience)} seconds` : undefined) ??
      leakOf([...seen, ...recorder.takeLog()], secrets)
    return { problem, isLate, computation } satisfies Attempt
  })

  const first = yield* attempt
  if (first.problem !== undefined) return first.isLate ? (yield* attempt).problem : first.problem
  let computation = first.computation
  for (let count = 0; count < repetitions && computation > longestComputation; count += 1) {
    const again = yield* attempt
    if (again.problem !== undefined) return again.problem
    computation = Math.min(computation, again.computation)
  }
  return computation > longestComputation
    ? `no stall: it computed for ${computation.toFixed()} ms without a break`
    : undefined
})

const crashOf = (uncaught: ReadonlyArray<unknown>, exit: Exit.Exit<unknown, Broken>): string | undefined => {
  const [first] = uncaught
  if (first !== undefined) return `no crash: nobody caught ${textOf(first)}`
  if (Exit.isSuccess(exit)) return undefined
  const failure = Cause.findErrorOption(exit.cause)
  return Option.isSome(failure) ? failure.value.problem : `no crash: ${Cause.pretty(exit.cause)}`
}

const textOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error)

const leakOf = (seen: ReadonlyArray<unknown>, secrets: ReadonlyArray<string>): string | undefined => {
  if (secrets.length === 0) return undefined
  const [sighting] = findCanaries(seen, secrets)
  return sighting === undefined
    ? undefined
    : `no secret: ${sighting.canary} stands as ${sighting.encoding} in ${sighting.where}: ${sighting.excerpt}`
}
