import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { KeptInput } from "./Corpus.ts"
import type { Instruments } from "./Judge.ts"
import { makeRecorder } from "./Recorder.ts"
import type { Finding, FuzzTarget } from "./Round.ts"
import { makeTurnWatch } from "./TurnWatch.ts"

/** What a session is to try. */
export interface SessionOptions {
  readonly targets: ReadonlyArray<FuzzTarget>
  readonly seconds: number
  readonly seed: number
  /** Tried first. */
  readonly kept: ReadonlyArray<KeptInput>
  /** Called with each input before it is tried. */
  readonly noteInput: Instruments["noteInput"]
}

/** What was tried of a target. */
export interface TargetResult {
  readonly name: string
  readonly tried: number
  readonly findings: ReadonlyArray<Finding>
}

/** Milliseconds of one round of one of several targets: short, so that each has its turn. */
const longestRound = 2000

/** Between the seeds of two rounds, so that the rounds of neighbouring seeds are not the same. */
const seedStep = 1_000_003

/**
 * Tries what was kept, and then generated inputs of one target after the other until the time is over. The round of number
 * n has a seed of its own, which is `seed` for the first. A target that was found broken is not tried again.
 */
export const runSession = Effect.fnUntraced(function* ({
  kept,
  noteInput,
  seconds,
  seed,
  targets
}: SessionOptions) {
  const instruments = { recorder: yield* makeRecorder, watch: makeTurnWatch(), noteInput }
  const until = (yield* Clock.currentTimeMillis) + seconds * 1000
  const states = targets.map((target) => ({ target, tried: 0, findings: [] as Array<Finding> }))
  const share = (seconds * 1000) / targets.length
  const slice = targets.length === 1 ? share : Math.min(longestRound, share)

  for (const state of states) {
    for (const { input } of kept.filter(({ target }) => target === state.target.name)) {
      const { finding, tried } = yield* state.target.replay(instruments, input)
      state.tried += tried
      if (finding !== undefined) state.findings.push(finding)
    }
  }
  for (let number = 0; (yield* Clock.currentTimeMillis) < until; number += 1) {
    const left = states.filter(({ findings }) => findings.length === 0)
    if (left.length === 0) break
    for (const state of left) {
      const now = yield* Clock.currentTimeMillis
      // On a busy machine the first targets may take all the time: the others have their turn all the same.
      if (number > 0 && now >= until) break
      const options = { seed: (seed + number * seedStep) | 0, until: Math.min(now + slice, until) }
      const { finding, tried } = yield* state.target.round(instruments, options)
      state.tried += tried
      if (finding !== undefined) state.findings.push(finding)
    }
  }
  return states.map(({ findings, target, tried }): TargetResult => ({ name: target.name, tried, findings }))
}, Effect.scoped)
