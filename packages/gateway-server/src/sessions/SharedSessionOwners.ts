import { randomBytes } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { sessionLife, type SessionOwnersService } from "./SessionOwners.ts"

interface Owned {
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
  const sessions = new Map<string, Owned>()
  const byOwner = new Map<string, Set<string>>()

  const drop = (session: string) => {
    const owned = sessions.get(session)
    if (owned === undefined) return
    sessions.delete(session)
    const own = byOwner.get(owned.owner)
    own?.delete(session)
    if (own?.size === 0) byOwner.delete(owned.owner)
  }

  const find = (session: string, now: number): string | undefined => {
    const owned = sessions.get(session)
    if (owned !== undefined && now >= owned.endsAt) drop(session)
    return sessions.get(session)?.owner
  }

  const evict = () => {
    if (sessions.size <= capacity) return
    let most = new Set<string>()
    for (const own of byOwner.values()) if (own.size > most.size) most = own
    const [oldest] = most
    if (oldest !== undefined) drop(oldest)
  }

  return {
    digestKey: Redacted.make(randomBytes(32)),
    find: (session) => Effect.map(Clock.currentTimeMillis, (now) => find(session, now)),
    bind: (session, owner) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        if ((find(session, now) ?? owner) !== owner) return false
        drop(session)
        sessions.set(session, { owner, endsAt: now + Duration.toMillis(sessionLife) })
        byOwner.set(owner, (byOwner.get(owner) ?? new Set()).add(session))
        evict()
        return true
      }),
    remove: (session) => Effect.sync(() => drop(session))
  }
}
