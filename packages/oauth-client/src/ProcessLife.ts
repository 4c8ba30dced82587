import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/** The longest time that a timer of Node can wait, in milliseconds. */
const longestTimer = 2 ** 31 - 1

/**
 * The system's clock, whose timers do not keep the process alive: waiting for the next renewal is no reason to stay. What a
 * caller waits for is: see `makeCalls`.
 */
export const backgroundClock = (system: Clock.Clock): Clock.Clock => {
  const sleepMillis = (millis: number): Effect.Effect<void> =>
    Effect.callback((resume) => {
      const rest = millis - longestTimer
      const timer = setTimeout(
        () => resume(rest > 0 ? sleepMillis(rest) : Effect.void),
        Math.min(millis, longestTimer)
      )
      timer.unref()
      return Effect.sync(() => clearTimeout(timer))
    })
  return {
    currentTimeMillisUnsafe: () => system.currentTimeMillisUnsafe(),
    currentTimeMillis: system.currentTimeMillis,
    currentTimeNanosUnsafe: () => system.currentTimeNanosUnsafe(),
    currentTimeNanos: system.currentTimeNanos,
    monotonicTimeNanosUnsafe: () => system.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: system.monotonicTimeNanos,
    sleep: (duration) => {
      const millis = Duration.toMillis(duration)
      if (millis <= 0) return Effect.yieldNow
      return Number.isFinite(millis) ? sleepMillis(millis) : Effect.never
    }
  }
}

/** Keeps the process alive while a caller waits. */
export interface Calls {
  readonly begin: () => void
  readonly end: () => void
}

/** Makes the count of calls that somebody waits for. */
export const makeCalls = (): Calls => {
  let waiting = 0
  let timer: NodeJS.Timeout | undefined
  return {
    begin: () => {
      waiting += 1
      timer ??= setInterval(() => undefined, longestTimer)
    },
    end: () => {
      waiting -= 1
      if (waiting > 0) return
      clearInterval(timer)
      timer = undefined
    }
  }
}
