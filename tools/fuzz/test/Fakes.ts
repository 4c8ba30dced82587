import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import type { Instruments } from "../src/run/Judge.ts"
import { makeRecorder } from "../src/run/Recorder.ts"
import type { Target, Trial } from "../src/run/Target.ts"
import { makeTurnWatch } from "../src/run/TurnWatch.ts"

export const secret = "canary-test-0123456789abcdef01234567"

/** A target whose inputs are numbers, with this trial. */
export const targetOf = (trial: Trial<number>): Target<number> => ({
  name: "numbers",
  input: Schema.Finite,
  inputs: fc.integer({ min: 0, max: 1000 }),
  secrets: [secret],
  open: Effect.succeed(trial)
})

/** @param seen gets the inputs, as they are kept */
export const makeInstruments = (seen: Array<unknown> = []) =>
  Effect.map(makeRecorder, (recorder): Instruments => ({
    recorder,
    watch: makeTurnWatch(),
    noteInput: ({ input }) => void seen.push(input)
  }))

/** Keeps the processor busy. */
export const compute = (milliseconds: number): void => {
  const busy = () => {
    const { system, user } = process.threadCpuUsage()
    return (user + system) / 1000
  }
  const end = busy() + milliseconds
  while (busy() < end);
}
