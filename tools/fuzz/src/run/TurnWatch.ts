import * as Effect from "effect/Effect"

/** Measures the longest computation between two turns of the event loop. */
export interface TurnWatch {
  readonly begin: () => void
  /** Milliseconds of the processor. */
  readonly end: () => number
}

/** Completes in the next turn of the event loop. */
export const nextTurn: Effect.Effect<void> = Effect.promise(
  () => new Promise<void>((resolve) => setImmediate(resolve))
)

/** The time of the processor, and not of a clock: other processes of a busy machine do not count. */
export const makeTurnWatch = (): TurnWatch => {
  let last = 0
  let longest = 0
  let turn: NodeJS.Immediate | undefined

  const look = () => {
    const now = computed()
    longest = Math.max(longest, now - last)
    last = now
  }
  const watch = () => {
    look()
    turn = setImmediate(watch)
  }
  return {
    begin: () => {
      longest = 0
      last = computed()
      turn = setImmediate(watch)
    },
    end: () => {
      clearImmediate(turn)
      look()
      return longest
    }
  }
}

const computed = (): number => {
  const { system, user } = process.threadCpuUsage()
  return (user + system) / 1000
}
