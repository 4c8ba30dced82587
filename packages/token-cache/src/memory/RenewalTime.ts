import * as Duration from "effect/Duration"
import type { OAuthToken } from "@secure-mcp/oauth-core"
import { isServable, type MemoryToken } from "./MemoryToken.ts"
import { renewalSpread } from "./RenewalSpread.ts"

/**
 * When a token is renewed ahead of its expiry: the expiry buffer before it and up to a tenth of its lifetime earlier
 * (`renewalSpread`), but never before half of its lifetime, so that a token of short life is cached, too.
 *
 * @param expiryBuffer `token_expiry_buffer` of the configuration
 * @returns milliseconds since the epoch; undefined for a token without expiry, which is renewed when it is refused
 */
export const renewalTime = (token: OAuthToken, expiryBuffer: Duration.Duration): number | undefined =>
  token.expiresAt === undefined
    ? undefined
    : token.expiresAt - timeBeforeExpiry(token, expiryBuffer, renewalSpread(token))

/** Whether it is too early, at this monotonic time, to renew a token that may be served. */
export const isBeforeRenewal = (cached: MemoryToken, now: number, expiryBuffer: Duration.Duration): boolean =>
  isServable(cached, now) &&
  now < cached.expiresAt - timeBeforeExpiry(cached.token, expiryBuffer, cached.renewalSpread)

/** Milliseconds. */
const timeBeforeExpiry = (
  { lifetime }: OAuthToken,
  expiryBuffer: Duration.Duration,
  spread: number
): number =>
  Duration.isFinite(lifetime)
    ? Math.min(Duration.toMillis(expiryBuffer) + spread, Duration.toMillis(lifetime) / 2)
    : 0
