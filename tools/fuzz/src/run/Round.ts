import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import { judge, type Instruments } from "./Judge.ts"
import type { Target } from "./Target.ts"

/** An input that broke an invariant. */
export interface Finding {
  readonly target: string
  readonly problem: string
  /** The seed of the round; undefined for an input that was kept. */
  readonly seed: number | undefined
  /** As it is kept in a file. */
  readonly input: unknown
}

/** What a round tried. */
export interface RoundResult {
  readonly tried: number
  readonly finding: Finding | undefined
}

/** A target whose inputs only it knows. */
export interface FuzzTarget {
  readonly name: string
  /**
   * Tries inputs until a time, as milliseconds since the epoch, or until one breaks an invariant; that one is made
   * smaller. One is tried at least.
   * The same seed gives the same inputs in the same order.
   */
  readonly round: (
    instruments: Instruments,
    options: { readonly seed: number; readonly until: number }
  ) => Effect.Effect<RoundResult>
  /** Tries an input that was kept. */
  readonly replay: (instruments: Instruments, kept: unknown) => Effect.Effect<RoundResult>
}

/** The most inputs of a round. */
const mostInputs = 200

/** How long an input may be made smaller, in milliseconds. */
const shrinkingTime = 20_000

export const fuzzTarget = <Input>(target: Target<Input>): FuzzTarget => {
  const encode = Schema.encodeSync(target.input)

  const replay: FuzzTarget["replay"] = Effect.fnUntraced(function* (instruments, kept) {
    const input = yield* Effect.orDie(Schema.decodeUnknownEffect(target.input)(kept))
    const trial = yield* instruments.recorder.record(target.open)
    instruments.noteInput({ target: target.name, input: kept })
    const problem = yield* judge(target, trial, input, instruments)
    const finding =
      problem === undefined ? undefined : { target: target.name, problem, seed: undefined, input: kept }
    return { tried: 1, finding }
  }, Effect.scoped)

  const round: FuzzTarget["round"] = Effect.fnUntraced(function* (instruments, { seed, until }) {
    const run = yield* FiberSet.makeRuntimePromise()
    const clock = yield* Clock.Clock
    const trial = yield* instruments.recorder.record(target.open)
    const found: { tried: number; problem?: string } = { tried: 0 }
    const property = fc.asyncProperty(target.inputs, async (input) => {
      if (found.problem === undefined) {
        // To open a target may take all its time on a busy machine: one input is tried all the same.
        if (found.tried > 0 && clock.currentTimeMillisUnsafe() >= until) return
        found.tried += 1
      }
      instruments.noteInput({ target: target.name, input: encode(input) })
      const problem = await run(judge(target, trial, input, instruments))
      if (problem === undefined) return
      found.problem = problem
      throw new Error(problem)
    })
    const details = yield* Effect.promise(() =>
      fc.check(property, {
        seed,
        numRuns: mostInputs,
        interruptAfterTimeLimit: Math.max(0, until - clock.currentTimeMillisUnsafe()) + shrinkingTime,
        markInterruptAsFailure: false
      })
    )
    const [smallest] = details.counterexample ?? []
    if (found.problem === undefined || smallest === undefined)
      return { tried: found.tried, finding: undefined }
    return {
      tried: found.tried,
      finding: { target: target.name, problem: found.problem, seed, input: encode(smallest) }
    }
  }, Effect.scoped)

  return { name: target.name, round, replay }
}
