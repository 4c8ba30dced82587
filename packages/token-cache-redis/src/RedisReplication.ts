import { StoreUnavailable } from "@secure-mcp/oauth-core"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { RedisError } from "effect/persistence/Redis"
import { unavailable } from "./RedisProblem.ts"

/**
 * Whether a replica has what was written, so that a failover does not undo it. One Redis has none: then it is all the
 * same.
 */
export interface RedisReplicationService {
  /**
   * Runs a step that writes something under a key, and fails unless a replica has it, if there is any, and the primary
   * is the same one as before.
   */
  readonly confirmed: <A, E>(key: string, step: Effect.Effect<A, E>) => Effect.Effect<A, E | StoreUnavailable>
}

/** Provided by the connections to Sentinel and Cluster. */
export const RedisReplication = Context.Reference<RedisReplicationService>(
  "@secure-mcp/token-cache-redis/RedisReplication",
  { defaultValue: () => ({ confirmed: (_, step) => step }) }
)

/** Sends a command to the primary that has a key. */
export type SendToPrimary = (
  key: string,
  ...command: ReadonlyArray<string>
) => Effect.Effect<unknown, RedisError>

/** How a primary describes itself. A replica that takes over has another `id`. */
interface Primary {
  readonly id: string
  readonly replicas: number
}

/** How long the replicas may take. The connection is blocked meanwhile. */
const longestWait = 1000

/** How long it is remembered which primary there is. */
const primaryLife = 1000

/**
 * Waits for replicas with `WAIT`, once for all who ask at the same time: after all that was written before, on the one
 * connection that everything goes through.
 */
export const makeReplication = (place: string, send: SendToPrimary): RedisReplicationService => {
  const known: { primary: Primary | undefined; until: number } = { primary: undefined, until: 0 }
  const confirmation: {
    running: boolean
    next: Deferred.Deferred<Confirmation, RedisError> | undefined
  } = { running: false, next: undefined }

  const askPrimary = Effect.fnUntraced(function* (key: string) {
    const primary = parsePrimary(String(yield* send(key, "INFO", "replication")))
    known.primary = primary
    known.until = (yield* Clock.currentTimeMillis) + primaryLife
    return primary
  })

  const knownPrimary = (key: string) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      known.primary !== undefined && now < known.until ? Effect.succeed(known.primary) : askPrimary(key)
    )

  /** What was written before is with so many replicas of this primary. */
  const confirm = Effect.fnUntraced(function* (key: string) {
    const replicas = known.primary?.replicas ?? 0
    const copies = replicas === 0 ? 0 : Number(yield* send(key, "WAIT", "1", String(longestWait)))
    return { primary: yield* askPrimary(key), copies } satisfies Confirmation
  })

  /** Joins the next confirmation, which begins when the one that runs has ended. */
  const nextConfirmation = (key: string): Effect.Effect<Confirmation, RedisError> =>
    Effect.suspend(() => {
      const next = (confirmation.next ??= Deferred.makeUnsafe<Confirmation, RedisError>())
      const start = confirmation.running ? Effect.void : Effect.forkDetach(confirmAll(key))
      confirmation.running = true
      return Effect.andThen(start, Deferred.await(next))
    })

  /** One after the other, as long as somebody waits for one. */
  const confirmAll = (key: string): Effect.Effect<void> =>
    Effect.suspend(() => {
      const { next } = confirmation
      confirmation.next = undefined
      confirmation.running = next !== undefined
      return next === undefined
        ? Effect.void
        : Effect.exit(confirm(key)).pipe(
            Effect.flatMap((exit) => Deferred.done(next, exit)),
            Effect.andThen(confirmAll(key))
          )
    })

  const failed = (error: RedisError) => unavailable(place, error)

  return {
    confirmed: (key, step) =>
      Effect.gen(function* () {
        const before = yield* Effect.mapError(knownPrimary(key), failed)
        const result = yield* step
        const { copies, primary } = yield* Effect.mapError(nextConfirmation(key), failed)
        if (primary.id !== before.id || (primary.replicas > 0 && copies === 0)) {
          known.until = 0
          return yield* new StoreUnavailable({
            problem:
              primary.id === before.id
                ? `${place} has a replica that did not take a write in time. Check that the replica runs; it is tried again by itself`
                : `${place} has another primary than before. It is tried again by itself`
          })
        }
        return result
      })
  }
}

interface Confirmation {
  readonly primary: Primary
  readonly copies: number
}

/** A replica that is being filled counts, too: it may take over with what it had before. One that is away is not listed. */
const parsePrimary = (info: string): Primary => ({
  id: /^master_replid:(\w+)/m.exec(info)?.[1] ?? "",
  replicas: info.match(/^slave\d+:/gm)?.length ?? 0
})
