import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as RcMap from "effect/RcMap"
import type * as Scope from "effect/Scope"

/** A child process and what belongs to it. */
export interface Child {
  /** Stops the child process, and completes when it has ended. */
  readonly end: Effect.Effect<void>
  /** Completes when the child process has ended, by itself or not. */
  readonly ended: Effect.Effect<void>
  /** Whether it accepts no more requests. */
  readonly isOver: (now: number) => boolean
}

/** Children by key. A child is in use until the scope of its caller closes. */
export interface Children<K, A, E> {
  /** The child of a key; started if there is none that accepts requests. */
  readonly get: (key: K) => Effect.Effect<A, E | Cause.ExceededCapacityError, Scope.Scope>
  /** The child of a key; undefined if there is none that accepts requests. */
  readonly find: (key: K) => Effect.Effect<A | undefined, E | Cause.ExceededCapacityError, Scope.Scope>
  /** Removes a child, which is stopped once no caller uses it. */
  readonly retire: (key: K, child: A) => Effect.Effect<void>
}

const idleTimeToLive = "30 minutes"

/** Runs children until the scope closes, each until it ends or was not used for 30 minutes. */
export const makeChildren = Effect.fnUntraced(function* <K, A extends Child, E, R>(options: {
  readonly start: (key: K) => Effect.Effect<A, E, R | Scope.Scope>
  readonly capacity: number
}): Effect.fn.Return<Children<K, A, E>, never, R | Scope.Scope> {
  const scope = yield* Effect.scope
  const running = new Set<A>()
  const retired = new WeakSet<A>()

  /** Forked in the scope of all children: a child's own scope could not close while a fiber in it waits for that. */
  const forget = (key: K) =>
    Effect.asVoid(Effect.forkIn(RcMap.invalidate(map, key), scope, { startImmediately: true }))

  /** Only the first call may remove the key: later the next child may be there already. */
  const retire = (key: K, child: A) =>
    Effect.suspend(() => {
      if (retired.has(child)) return Effect.void
      retired.add(child)
      return forget(key)
    })

  const start = Effect.fnUntraced(function* (key: K) {
    const child = yield* options.start(key)
    yield* Effect.acquireRelease(
      Effect.sync(() => running.add(child)),
      () => Effect.sync(() => running.delete(child))
    )
    yield* Effect.forkScoped(Effect.andThen(child.ended, retire(key, child)))
    return child
  })

  const map: RcMap.RcMap<K, A, E | Cause.ExceededCapacityError> = yield* RcMap.make({
    lookup: (key: K) => Effect.onError(start(key), () => forget(key)),
    idleTimeToLive,
    capacity: options.capacity
  })
  // Stop all at once; the map would stop one after the other.
  yield* Effect.addFinalizer(() =>
    Effect.forEach([...running], (child) => child.end, { concurrency: "unbounded", discard: true })
  )

  const retireIfOver = (key: K, child: A) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => (child.isOver(now) ? retire(key, child) : Effect.void))

  return {
    get: (key) =>
      // In a scope of its own, so that the request does not use the child it replaces.
      Effect.scoped(Effect.flatMap(RcMap.get(map, key), (child) => retireIfOver(key, child))).pipe(
        Effect.andThen(RcMap.get(map, key))
      ),
    find: Effect.fnUntraced(function* (key) {
      const found = yield* RcMap.getOption(map, key)
      const now = yield* Clock.currentTimeMillis
      return Option.getOrUndefined(Option.filter(found, (child) => !child.isOver(now)))
    }),
    retire
  }
})
