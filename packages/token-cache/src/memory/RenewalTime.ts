import * as Duration from "effect/Duration"
import type { OAuthToken } from "@secure-mcp/oauth-core"
import { isServable, type MemoryToken } from "./MemoryToken.ts"

/**
 * When a token in use is renewed at the latest: the expiry buffer before its expiry, but never before half of its lifetime, so
 * that a token of short life is cached, too. A cache may renew it up to a tenth of its lifetime earlier.
 *
 * @param expiryBuffer `token_expiry_buffer` of the configuration
 * @returns milliseconds since the epoch; undefined for a token without expiry, which is renewed when it is refused
 */
export const renewalTime = (token: OAuthToken, expiryBuffer: Duration.Duration): number | undefined =>
  token.expiresAt === undefined ? undefined : token.expiresAt - timeBeforeExpiry(token, expiryBuffer)

/** Whether it is too early, at this monotonic time, to renew a token that may be served. */
export const isBeforeRenewal = (cached: MemoryToken, now: number, expiryBuffer: Duration.Duration): boolean =>
  isServable(cached, now) && now < renewalDue(cached, expiryBuffer)

/** When a token in memory is renewed, on the monotonic clock in milliseconds: at its own moment of the spread. */
export const renewalDue = (
  { expiresAt, renewalSpread, token }: MemoryToken,
  expiryBuffer: Duration.Duration
): number => expiresAt - timeBeforeExpiry(token, expiryBuffer, renewalSpread)

/** Milliseconds. */
const timeBeforeExpiry = (
  { lifetime }: OAuthToken,
  expiryBuffer: Duration.Duration,
  spread: number = 0
): number =>
  // Nothing is renewed ahead of its expiry where that is not wanted.
  Duration.isFinite(lifetime) && !Duration.isZero(expiryBuffer)
    ? Math.min(Duration.toMillis(expiryBuffer) + spread, Duration.toMillis(lifetime) / 2)
    : 0
