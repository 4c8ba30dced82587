import { randomBytes } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { sessionLife, type SessionOwnersService } from "./SessionOwners.ts"
import { SessionsByOwner } from "./SessionsByOwner.ts"

interface Owned {
  readonly session: string
  readonly owner: string
  /** Milliseconds since the epoch. */
  readonly endsAt: number
}

/**
 * Whose the sessions are, in the memory of one process that several others ask.
 *
 * @param capacity how many sessions are remembered; over it, the owner with the most loses the one bound the longest ago
 */
export const makeSharedSessionOwners = (capacity: number): SessionOwnersService => {
  const sessions = new SessionsByOwner<Owned>()

  const find = (session: string, now: number): string | undefined => {
    const owned = sessions.get(session)
    if (owned !== undefined && now >= owned.endsAt) sessions.drop(session)
    return sessions.get(session)?.owner
  }

  return {
    digestKey: Redacted.make(randomBytes(32)),
    find: (session) => Effect.map(Clock.currentTimeMillis, (now) => find(session, now)),
    bind: (session, owner) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        if ((find(session, now) ?? owner) !== owner) return false
        sessions.put({ session, owner, endsAt: now + Duration.toMillis(sessionLife) })
        sessions.evictOver(capacity)
        return true
      }),
    remove: (session) => Effect.sync(() => sessions.drop(session))
  }
}
