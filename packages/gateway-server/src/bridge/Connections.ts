import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import * as MutableHashMap from "effect/MutableHashMap"
import * as Option from "effect/Option"
import * as RcMap from "effect/RcMap"
import type * as Scope from "effect/Scope"

/** A connection to a server and what belongs to it. */
export interface Connection {
  /** Stops it, and completes when it has ended. */
  readonly end: Effect.Effect<void>
  /** Completes when it has ended, by itself or not. */
  readonly ended: Effect.Effect<void>
  /** Whether it accepts no more requests. */
  readonly isOver: (now: number) => boolean
}

/** Connections by key. One is in use until the scope of its caller closes. */
export interface Connections<K, A, E> {
  /** The connection of a key; opened if there is none that accepts requests. */
  readonly get: (key: K) => Effect.Effect<A, E | Cause.ExceededCapacityError, Scope.Scope>
  /** The connection of a key; undefined if there is none that accepts requests. */
  readonly find: (key: K) => Effect.Effect<A | undefined, E | Cause.ExceededCapacityError, Scope.Scope>
  /**
   * The connection of a key, in use until its `leave` is called, without a fiber; undefined if it accepts no requests, or
   * is not held yet: then it will be.
   */
  readonly enterNow: (key: K, now: number) => HeldConnection<A> | undefined
  /** Removes a connection, which is stopped once no caller uses it. */
  readonly retire: (key: K, connection: A) => Effect.Effect<void>
}

/**
 * Keeps connections open until the scope closes, each until it ends or was not used for some time.
 *
 * @param options.capacity how many may be open at once. If they are, one that is not in use ends for an owner who has at
 * least two less than its owner: nobody can keep all others out
 */
export const makeConnections = Effect.fnUntraced(function* <K, A extends Connection, E, R>(options: {
  readonly open: (key: K) => Effect.Effect<A, E, R | Scope.Scope>
  readonly ownerOf: (key: K) => string | undefined
  readonly capacity: number
  readonly idleTimeToLive: Duration.Input
}): Effect.fn.Return<Connections<K, A, E>, never, R | Scope.Scope> {
  const scope = yield* Effect.scope
  const clock = yield* Clock.Clock
  const idleTimeToLive = Duration.toMillis(options.idleTimeToLive)
  const holders = yield* FiberMap.make<K>()
  const runHolder = yield* FiberMap.runtime(holders)<never>()
  const held = new Map<K, HeldConnection<A>>()
  const running = new Set<A>()
  const retired = new WeakSet<A>()

  /** Forked in the scope of all: a connection's own scope could not close while a fiber in it waits for that. */
  const forget = (key: K) =>
    Effect.asVoid(
      Effect.forkIn(Effect.andThen(RcMap.invalidate(map, key), FiberMap.remove(holders, key)), scope, {
        startImmediately: true
      })
    )

  /** Only the first call may remove the key: later the next connection may be there already. */
  const retire = (key: K, connection: A) =>
    Effect.suspend(() => {
      if (retired.has(connection)) return Effect.void
      retired.add(connection)
      return forget(key)
    })

  const open = Effect.fnUntraced(function* (key: K) {
    const connection = yield* options.open(key)
    yield* Effect.acquireRelease(
      Effect.sync(() => running.add(connection)),
      () => Effect.sync(() => running.delete(connection))
    )
    yield* Effect.forkScoped(Effect.andThen(connection.ended, retire(key, connection)))
    return connection
  })

  const map: RcMap.RcMap<K, A, E | Cause.ExceededCapacityError> = yield* RcMap.make({
    lookup: (key: K) => Effect.onError(open(key), () => forget(key)),
    idleTimeToLive: options.idleTimeToLive,
    capacity: options.capacity
  })
  // Stop all at once; the map would stop one after the other.
  yield* Effect.addFinalizer(() =>
    Effect.forEach([...running], (connection) => connection.end, { concurrency: "unbounded", discard: true })
  )

  const isUnused = (key: K, refCount: number) => {
    const own = held.get(key)
    return own === undefined ? refCount === 0 : own.uses === 0 && refCount === 1
  }
  const refCountOf = (key: K): number =>
    map.state._tag === "Open"
      ? Option.match(MutableHashMap.get(map.state.map, key), {
          onNone: () => 0,
          onSome: ({ refCount }) => refCount
        })
      : 0

  /** Completes when a held connection was not used for as long as one may be. */
  const untilIdle = (key: K, own: HeldConnection<A>): Effect.Effect<void> =>
    Effect.suspend(() => {
      const rest = isUnused(key, refCountOf(key))
        ? own.usedAt + idleTimeToLive - clock.currentTimeMillisUnsafe()
        : idleTimeToLive
      return rest <= 0 ? Effect.void : Effect.andThen(Effect.sleep(rest), untilIdle(key, own))
    })

  /** Keeps a connection in use for `enterNow`, until it ends or is idle. */
  const hold = (key: K) =>
    Effect.gen(function* () {
      const found = yield* RcMap.getOption(map, key)
      if (Option.isNone(found)) return
      const own = new HeldConnection(found.value, clock)
      yield* Effect.acquireRelease(
        Effect.sync(() => held.set(key, own)),
        () => Effect.sync(() => held.delete(key))
      )
      yield* Effect.raceFirst(own.connection.ended, untilIdle(key, own))
    }).pipe(Effect.scoped, Effect.ignore, Effect.andThen(RcMap.invalidate(map, key)))

  const enterNow = (key: K, now: number): HeldConnection<A> | undefined => {
    const own = held.get(key)
    if (own === undefined) runHolder(key, hold(key), { onlyIfMissing: true })
    if (own === undefined || own.connection.isOver(now)) return undefined
    own.enter()
    return own
  }
  /** A held connection counts as used until the scope closes. */
  const noteUse = (key: K) => Effect.addFinalizer(() => Effect.sync(() => held.get(key)?.touch()))

  const retireIfOver = (key: K, connection: A) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      connection.isOver(now) ? retire(key, connection) : Effect.void
    )

  type Entry = readonly [K, RcMap.State.Entry<A, E | Cause.ExceededCapacityError>]
  /** The key of the connection that has to make room for an owner's, if there is one. */
  const findSurplus = (owner: string | undefined): K | undefined => {
    const byOwner = new Map<string | undefined, Array<Entry>>()
    for (const entry of map.state._tag === "Open" ? map.state.map : []) {
      const one = options.ownerOf(entry[0])
      const others = byOwner.get(one)
      if (others === undefined) byOwner.set(one, [entry])
      else others.push(entry)
    }
    const own = byOwner.get(owner)?.length ?? 0
    const largest = [...byOwner.values()].reduce<ReadonlyArray<Entry>>(
      (most, some) => (some.length > most.length ? some : most),
      []
    )
    if (largest.length < own + 2) return undefined
    const unused = largest.filter(([key, { refCount }]) => isUnused(key, refCount))
    const expiry = ([key, { expiresAt }]: Entry) => {
      const own = held.get(key)
      return own === undefined ? expiresAt : own.usedAt + idleTimeToLive
    }
    return unused.toSorted((one, other) => expiry(one) - expiry(other))[0]?.[0]
  }
  const makeRoom = (key: K) =>
    Effect.suspend(() => {
      const surplus = findSurplus(options.ownerOf(key))
      if (surplus === undefined) return Effect.void
      return Effect.andThen(
        Effect.logWarning("Ended a connection that was not in use, because its owner has more than another"),
        forget(surplus)
      )
    })

  const getOrOpen = (key: K) =>
    Effect.catchIf(RcMap.get(map, key), Cause.isExceededCapacityError, () =>
      Effect.andThen(makeRoom(key), RcMap.get(map, key))
    )

  return {
    get: (key) =>
      // In a scope of its own, so that the request does not use the connection it replaces.
      Effect.scoped(Effect.flatMap(getOrOpen(key), (connection) => retireIfOver(key, connection))).pipe(
        Effect.andThen(Effect.andThen(noteUse(key), RcMap.get(map, key)))
      ),
    find: Effect.fnUntraced(function* (key) {
      yield* noteUse(key)
      const found = yield* RcMap.getOption(map, key)
      const now = yield* Clock.currentTimeMillis
      return Option.getOrUndefined(Option.filter(found, (connection) => !connection.isOver(now)))
    }),
    enterNow,
    retire
  }
})

/** A connection that is held for requests without fibers. */
export class HeldConnection<A> {
  readonly connection: A
  readonly #clock: Clock.Clock
  /** How many of these requests use it. */
  uses = 0
  /** When it was last used, in milliseconds since the epoch. */
  usedAt: number

  constructor(connection: A, clock: Clock.Clock) {
    this.connection = connection
    this.#clock = clock
    this.usedAt = clock.currentTimeMillisUnsafe()
  }

  enter(): void {
    this.uses += 1
  }

  leave(): void {
    this.uses -= 1
    this.touch()
  }

  touch(): void {
    this.usedAt = this.#clock.currentTimeMillisUnsafe()
  }
}
