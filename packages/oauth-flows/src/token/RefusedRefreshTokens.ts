import type { OAuthErrorReason, OAuthToken } from "@secure-mcp/oauth-core"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { createHash } from "node:crypto"

/** A token that can be renewed by its refresh token. */
export interface RefreshableToken extends OAuthToken {
  readonly refreshToken: Redacted.Redacted
}

/**
 * Remembers refresh tokens that were refused, so that no client's request sends one again: for good, or for a while if
 * the refusal said nothing about the grant. Only digests are remembered, so a token that was read from the store again
 * is recognised.
 */
export class RefusedRefreshTokens extends Context.Service<
  RefusedRefreshTokens,
  {
    /** Whether a token has a refresh token that was not refused for good. */
    readonly isRefreshable: (token: OAuthToken | undefined) => token is RefreshableToken
    /** The refresh token is dead. */
    readonly end: (token: OAuthToken) => Effect.Effect<void>
    /** The refresh was refused for a reason that may pass: a second, twice as long each time, at most a minute. */
    readonly pause: (token: OAuthToken, reason: OAuthErrorReason) => Effect.Effect<void>
    /** Why the refresh token must not be sent now; undefined if it may. */
    readonly pausedBy: (token: OAuthToken) => Effect.Effect<OAuthErrorReason | undefined>
  }
>()("@secure-mcp/oauth-flows/RefusedRefreshTokens") {
  static readonly layer: Layer.Layer<RefusedRefreshTokens> = Layer.sync(RefusedRefreshTokens, () => make())
}

/** Tokens of each kind that are remembered. The oldest is evicted first: it is tried once more. */
const capacity = 10_000
const firstPause = Duration.toMillis("1 second")
const longestPause = Duration.toMillis("1 minute")

interface Pause {
  readonly reason: OAuthErrorReason
  readonly duration: number
  readonly endsAt: number
}

const make = (): RefusedRefreshTokens["Service"] => {
  const ended = new Set<string>()
  const pauses = new Map<string, Pause>()
  return {
    isRefreshable: (token): token is RefreshableToken =>
      token?.refreshToken !== undefined && !ended.has(digestOf(token)),

    end: (token) =>
      Effect.sync(() => {
        const digest = digestOf(token)
        pauses.delete(digest)
        ended.add(digest)
        evictOldest(ended)
      }),

    pause: (token, reason) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const digest = digestOf(token)
        const duration = Math.min((pauses.get(digest)?.duration ?? firstPause / 2) * 2, longestPause)
        pauses.delete(digest)
        pauses.set(digest, { reason, duration, endsAt: now + duration })
        evictOldest(pauses)
      }),

    pausedBy: (token) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const pause = pauses.get(digestOf(token))
        return pause !== undefined && now < pause.endsAt ? pause.reason : undefined
      })
  }
}

/** Sets and maps keep the order of insertion. */
const evictOldest = (known: Set<string> | Map<string, Pause>): void => {
  const [oldest] = known.keys()
  if (known.size > capacity && oldest !== undefined) known.delete(oldest)
}

/** The access token and its time count, because a server may give the same refresh token with a new grant. */
const digestOf = ({ accessToken, grantedTo, issuedAt, refreshToken }: OAuthToken): string =>
  createHash("sha256")
    .update(
      JSON.stringify([
        grantedTo?.issuer,
        grantedTo?.tokenEndpoint && Redacted.value(grantedTo.tokenEndpoint),
        grantedTo?.clientId,
        refreshToken && Redacted.value(refreshToken),
        Redacted.value(accessToken),
        issuedAt
      ])
    )
    .digest("base64url")
