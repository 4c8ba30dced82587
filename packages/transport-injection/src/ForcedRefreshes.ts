import type { AccessTokenRequest, CachedToken, OAuthToken } from "@secure-mcp/oauth-core"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import { tokenOwnerKey } from "./EndedGrants.ts"

/** For how long the token of a forced refresh is not replaced by another one, although the MCP server refuses it. */
const pause = Duration.seconds(30)

/** The least recently forced refresh is evicted first. */
const capacity = 10_000

interface ForcedRefresh {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly token: OAuthToken
  /** How many there were, each soon after the one before. */
  readonly count: number
  /** Whether the server has accepted the token. */
  readonly accepted: boolean
}

/** A token that was good may have been revoked like any other, but not again and again. */
const mostInARow = 2

/**
 * Remembers which tokens came from a refresh that a refusal of the MCP server forced. A server that refuses every token
 * would otherwise have the authorization server asked for one with each request.
 */
export interface ForcedRefreshes {
  readonly note: (request: AccessTokenRequest, renewed: CachedToken) => Effect.Effect<void>
  /**
   * The token of a forced refresh within the last 30 seconds, if it is the refused one, or an earlier one. Undefined
   * once if the server had accepted it.
   */
  readonly recent: (
    request: AccessTokenRequest,
    refused: Pick<OAuthToken, "accessToken"> & Partial<Pick<OAuthToken, "issuedAt">>
  ) => Effect.Effect<OAuthToken | undefined>
  /** Takes note that the server accepted a token. */
  readonly accept: (request: AccessTokenRequest, token: Redacted.Redacted) => void
  /** A new grant begins. */
  readonly forget: (request: AccessTokenRequest) => void
}

/** Nothing is remembered yet. */
export const makeForcedRefreshes = (): ForcedRefreshes => {
  const refreshes = new Map<string, ForcedRefresh>()

  const recentOf = (id: string, now: number): ForcedRefresh | undefined => {
    const last = refreshes.get(id)
    return last === undefined || now - last.at >= Duration.toMillis(pause) ? undefined : last
  }

  return {
    note: (request, { source, token }) =>
      Effect.map(Clock.currentTimeMillis, (at) => {
        // From the cache: it was not obtained for this refusal.
        if (source === "cache") return
        const id = tokenOwnerKey(request)
        const before = recentOf(id, at)
        if (before?.token.isAccessToken(token.accessToken) === true) return
        refreshes.delete(id)
        refreshes.set(id, { at, token, count: (before?.count ?? 0) + 1, accepted: false })
        const [oldest] = refreshes.keys()
        if (refreshes.size > capacity && oldest !== undefined) refreshes.delete(oldest)
      }),

    recent: (request, { accessToken, issuedAt = 0 }) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const last = recentOf(tokenOwnerKey(request), now)
        if (last === undefined || (last.accepted && last.count < mostInARow)) return undefined
        // A request that began before the refresh may bring the token that was replaced.
        return last.token.isAccessToken(accessToken) || issuedAt > last.token.issuedAt
          ? last.token
          : undefined
      }),

    accept: (request, token) => {
      if (refreshes.size === 0) return
      const id = tokenOwnerKey(request)
      const last = refreshes.get(id)
      if (last !== undefined && !last.accepted && last.token.isAccessToken(token))
        refreshes.set(id, { ...last, accepted: true })
    },

    forget: (request) => {
      refreshes.delete(tokenOwnerKey(request))
    }
  }
}
