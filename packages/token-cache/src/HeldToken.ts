import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { OAuthToken, StoreUnavailable } from "@secure-mcp/oauth-core"

/** One moment on both clocks, in milliseconds. */
export interface Moment {
  /** Since the epoch; jumps when somebody sets the clock. */
  readonly wall: number
  /** Since an arbitrary origin; never jumps, means nothing outside this process. */
  readonly monotonic: number
}

/** Now. */
export const currentMoment: Effect.Effect<Moment> = Clock.clockWith((clock) =>
  Effect.succeed({
    wall: clock.currentTimeMillisUnsafe(),
    monotonic: Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000
  })
)

/** A token in the memory of this process. */
export interface HeldToken {
  readonly token: OAuthToken
  /** When the access token ends, on the monotonic clock; infinite if it lives until it is refused. */
  readonly endsAt: number
  /** Not served any more (expired, refused, or for one use only); kept for what it can still be renewed with. */
  readonly spent: boolean
  /** Writes it to the store, where it is not yet; false if the store has a later one. Absent once it is there. */
  readonly unstored?: Effect.Effect<boolean, StoreUnavailable> | undefined
}

/**
 * Takes a token into this process. What is left of its life is read off the wall clock once, here; it is never
 * more than its whole life, whatever the wall clock says.
 */
export const hold = (token: OAuthToken, now: Moment): HeldToken => {
  const left =
    token.expiresAt === undefined
      ? Infinity
      : Math.min(token.expiresAt - now.wall, Duration.toMillis(token.lifetime))
  return { token, endsAt: now.monotonic + left, spent: !token.reusable || left <= 0 }
}

/** Whether the token may be served at this monotonic time. */
export const isServable = (held: HeldToken, now: number): boolean => !held.spent && now < held.endsAt

/** Whether the token may be served and it is too early to renew it. */
export const isFresh = (held: HeldToken, now: number, expiryBuffer: Duration.Duration): boolean => {
  if (!isServable(held, now)) return false
  if (held.endsAt === Infinity) return true
  const margin = Math.min(Duration.toMillis(expiryBuffer), Duration.toMillis(held.token.lifetime) / 2)
  return now < held.endsAt - margin
}

/** Whether both are the same access token. */
export const isSameAccessToken = (a: OAuthToken, b: OAuthToken): boolean => a.isAccessToken(b.accessToken)

/** How long a store has to keep the token: one with a refresh token is of use beyond its expiry. */
export const timeToLive = (held: HeldToken, now: number): Duration.Duration => {
  if (held.token.refreshToken !== undefined) return Duration.infinity
  return held.spent ? Duration.zero : Duration.millis(held.endsAt - now)
}
