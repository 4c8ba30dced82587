import { createHmac } from "node:crypto"
import type { StoreUnavailable } from "@secure-mcp/oauth-core"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { sessionLife, SessionOwners } from "./SessionOwners.ts"
import { SessionsByOwner } from "./SessionsByOwner.ts"

/**
 * The sessions of one MCP server over HTTP, each bound to the person who began it: whoever else learns the id of a session
 * would read its streams (MCP security best practices, "Session Hijacking").
 */
export interface SessionBindings {
  /**
   * Whether a session is a person's. If it is, it counts as in use until the scope closes, and is not forgotten.
   *
   * @param subject the person; undefined if the gateway does not know its callers
   */
  readonly use: (
    sessionId: string,
    subject: string | undefined
  ) => Effect.Effect<boolean, StoreUnavailable, Scope.Scope>
  /**
   * The same without a fiber, if this process knows the session as the person's and need not tell the store now. It
   * counts as in use until the function returned is called.
   */
  readonly useNow: (sessionId: string, subject: string | undefined) => (() => void) | undefined
  /** Binds a session that the server has begun. False if it is somebody else's: it stays theirs. */
  readonly begin: (sessionId: string, subject: string | undefined) => Effect.Effect<boolean>
  /** Forgets a session that the server has ended. */
  readonly end: (sessionId: string) => Effect.Effect<void, StoreUnavailable>
}

interface Binding {
  readonly session: string
  readonly owner: string
  /** Milliseconds since the epoch. */
  usedAt: number
  storedAt: number
  requestsUnderWay: number
}

/** How often the store hears that a session is still in use. */
const storeInterval = Duration.toMillis(Duration.hours(1))
/** The same, for a session that could not be stored. */
const retryInterval = Duration.toMillis(Duration.seconds(10))

/** @param options.capacity how many sessions are remembered; over it, the person with the most loses the one unused the longest */
export const makeSessionBindings = Effect.fnUntraced(function* (options: {
  readonly serverName: string
  readonly capacity: number
}): Effect.fn.Return<SessionBindings> {
  const owners = yield* SessionOwners
  const clock = yield* Clock.Clock
  const bindings = new SessionsByOwner<Binding>()

  const digest = (...parts: ReadonlyArray<string | null>): string =>
    createHmac("sha256", Redacted.value(owners.digestKey)).update(JSON.stringify(parts)).digest("base64url")
  const sessionOf = (sessionId: string) => digest("session", options.serverName, sessionId)
  const ownerOf = (subject: string | undefined) => digest("owner", subject ?? null)

  const markUsed = (binding: Binding, now: number) => {
    binding.usedAt = now
    bindings.touch(binding)
  }

  const remember = (session: string, owner: string, now: number): Binding => {
    const binding = { session, owner, usedAt: now, storedAt: now, requestsUnderWay: 0 }
    bindings.put(binding)
    bindings.evictOver(options.capacity, ({ requestsUnderWay }) => requestsUnderWay === 0)
    return binding
  }

  const inMemory = (session: string, now: number): Binding | undefined => {
    const binding = bindings.get(session)
    if (binding === undefined) return undefined
    if (binding.requestsUnderWay > 0 || now - binding.usedAt < Duration.toMillis(sessionLife)) return binding
    bindings.drop(session)
    return undefined
  }

  const find = Effect.fnUntraced(function* (session: string) {
    const now = yield* Clock.currentTimeMillis
    const known = inMemory(session, now)
    if (known !== undefined) return known
    const owner = yield* owners.find(session)
    if (owner === undefined) return undefined
    // Another request may have found it meanwhile.
    return inMemory(session, now) ?? remember(session, owner, now)
  })

  /** A store that is away hears of it with a later request: meanwhile the memory of this process is enough. */
  const store = (binding: Binding, now: number): Effect.Effect<boolean> => {
    binding.storedAt = now
    return owners.bind(binding.session, binding.owner).pipe(
      Effect.tap((isOwn) => (isOwn ? Effect.void : Effect.sync(() => bindings.drop(binding.session)))),
      Effect.catch(({ problem }) => {
        binding.storedAt = now - storeInterval + retryInterval
        return Effect.as(Effect.logWarning(`Whose a session is could not be stored: ${problem}`), true)
      })
    )
  }

  const countUse = (binding: Binding) => {
    const mark = (change: 1 | -1) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        binding.requestsUnderWay += change
        markUsed(binding, now)
        return now - binding.storedAt < storeInterval ? Effect.void : store(binding, now)
      })
    return Effect.acquireRelease(mark(1), () => mark(-1))
  }

  return {
    use: Effect.fnUntraced(function* (sessionId, subject) {
      const binding = yield* find(sessionOf(sessionId))
      if (binding?.owner !== ownerOf(subject)) return false
      yield* countUse(binding)
      return true
    }),

    useNow: (sessionId, subject) => {
      const now = clock.currentTimeMillisUnsafe()
      const binding = inMemory(sessionOf(sessionId), now)
      if (binding?.owner !== ownerOf(subject) || now - binding.storedAt >= storeInterval) return undefined
      binding.requestsUnderWay += 1
      markUsed(binding, now)
      return () => {
        binding.requestsUnderWay -= 1
        markUsed(binding, clock.currentTimeMillisUnsafe())
      }
    },

    begin: Effect.fnUntraced(function* (sessionId, subject) {
      const session = sessionOf(sessionId)
      const owner = ownerOf(subject)
      const now = yield* Clock.currentTimeMillis
      const known = inMemory(session, now)
      if (known !== undefined) return known.owner === owner
      // In memory first: of two answers that begin the same session at once, one finds the other's.
      return yield* store(remember(session, owner, now), now)
    }),

    end: Effect.fnUntraced(function* (sessionId) {
      const session = sessionOf(sessionId)
      bindings.drop(session)
      yield* owners.remove(session)
    })
  }
})
