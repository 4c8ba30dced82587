import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** One moment on both clocks, in milliseconds. */
export interface Moment {
  /** Since the epoch; jumps when the clock is set. */
  readonly wall: number
  /** Since an arbitrary origin; never jumps, means nothing outside this process. */
  readonly monotonic: number
}

/** Now, on the monotonic clock in milliseconds. */
export const monotonicTime = (clock: Clock.Clock): number =>
  Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000

/** Now. */
export const currentMoment: Effect.Effect<Moment> = Clock.clockWith((clock) =>
  Effect.succeed({ wall: clock.currentTimeMillisUnsafe(), monotonic: monotonicTime(clock) })
)
