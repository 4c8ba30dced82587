import type { AccessTokenRequest, OAuthToken } from "@secure-mcp/oauth-core"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"

/** A person's grant that ended because the MCP server refused its token although it was fresh. */
interface EndedGrant {
  /** Milliseconds since the epoch. A token that was issued later comes from another login. */
  readonly endedAt: number
  /** The token that was refused last. */
  readonly token: OAuthToken
  /** Whether the server has accepted a token since. */
  readonly accepted: boolean
  /** Until when nobody is asked to log in, because a login did not help. Milliseconds since the epoch. */
  readonly uselessUntil: number
}

/** A token that the MCP server refused, and what there is to replace it. */
export interface EndOfGrant {
  /** The token that the operation began with. */
  readonly first: OAuthToken
  /** The token that was refused last; the same one if it could not be refreshed. */
  readonly last: OAuthToken
}

/**
 * - `First`: this refusal ends the grant.
 * - `Again`: an earlier refusal of the same token has ended it.
 * - `LoginUseless`: the token comes from a login that followed such an end, so another login will not help.
 */
export type EndOutcome = "First" | "Again" | "LoginUseless"

/** For how long nobody is asked to log in again. */
const pause = Duration.minutes(10)

/** A login takes up to ten minutes, and its token may be refused up to ten minutes later. */
const remembered = Duration.minutes(20)

/** The least recently ended grant is evicted first. */
const capacity = 1000

/** Remembers which grants ended because fresh tokens were refused, so that nobody is sent from login to login. */
export interface EndedGrants {
  readonly end: (request: AccessTokenRequest, grant: EndOfGrant) => Effect.Effect<EndOutcome>
  /** Whether a login has not helped within the last ten minutes. */
  readonly isLoginUseless: (request: AccessTokenRequest) => Effect.Effect<boolean>
  /** Takes note that the server accepted a token. */
  readonly accept: (request: AccessTokenRequest, token: Redacted.Redacted) => void
}

/** Nothing is remembered yet. */
export const makeEndedGrants = (): EndedGrants => {
  const grants = new Map<string, EndedGrant>()

  const set = (id: string, grant: EndedGrant) => {
    grants.delete(id)
    grants.set(id, grant)
    const [oldest] = grants.keys()
    if (grants.size > capacity && oldest !== undefined) grants.delete(oldest)
  }

  const outcomeOf = (known: EndedGrant | undefined, { first, last }: EndOfGrant, now: number): EndOutcome => {
    if (known === undefined || now - known.endedAt > Duration.toMillis(remembered)) return "First"
    if (known.uselessUntil > 0 && now >= known.uselessUntil) return "First"
    if (known.token.isAccessToken(last.accessToken)) return "Again"
    if (first.issuedAt < known.endedAt) return "First"
    // A token without a refresh token that was good for a while may have been revoked like any other.
    return first === last && known.accepted ? "First" : "LoginUseless"
  }

  return {
    end: (request, grant) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const id = tokenOwnerKey(request)
        const outcome = outcomeOf(grants.get(id), grant, now)
        const ended = { endedAt: now, token: grant.last, accepted: false, uselessUntil: 0 }
        if (outcome === "First") set(id, ended)
        if (outcome === "LoginUseless") set(id, { ...ended, uselessUntil: now + Duration.toMillis(pause) })
        return outcome
      }),

    isLoginUseless: (request) =>
      Effect.map(
        Clock.currentTimeMillis,
        (now) => now < (grants.get(tokenOwnerKey(request))?.uselessUntil ?? 0)
      ),

    accept: (request, token) => {
      if (grants.size === 0) return
      const id = tokenOwnerKey(request)
      const known = grants.get(id)
      if (known === undefined || known.accepted || known.token.isAccessToken(token)) return
      grants.set(id, { ...known, accepted: true })
    }
  }
}

/** Whose token a request asks for. */
export const tokenOwnerKey = ({ configId, projectId, serverName, subject }: AccessTokenRequest): string =>
  JSON.stringify([projectId, configId, serverName, subject])
