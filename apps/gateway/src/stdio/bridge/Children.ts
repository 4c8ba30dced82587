import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as RcMap from "effect/RcMap"
import type * as Scope from "effect/Scope"

/** Something that lives with a child process. */
export interface Child {
  /** Stops the child process, and completes when it is gone. */
  readonly end: Effect.Effect<void>
  /** Completes when the child process has ended, by itself or not. */
  readonly ended: Effect.Effect<void>
  /** Whether it takes no more requests. */
  readonly isOver: (now: number) => boolean
}

/** Children by key. A child is in use for as long as the scope of the one who got it lives. */
export interface Children<K, A, E> {
  /** The child of a key, started if there is none that takes requests. */
  readonly get: (key: K) => Effect.Effect<A, E | Cause.ExceededCapacityError, Scope.Scope>
  /** The child of a key, if there is one that takes requests. */
  readonly find: (key: K) => Effect.Effect<A | undefined, E | Cause.ExceededCapacityError, Scope.Scope>
  /** Forgets a child; it is stopped once nobody uses it. */
  readonly retire: (key: K, child: A) => Effect.Effect<void>
}

const idleTimeToLive = "30 minutes"

/** Keeps children for as long as the scope lives, each until it has ended or nobody has used it for 30 minutes. */
export const makeChildren = Effect.fnUntraced(function* <K, A extends Child, E, R>(options: {
  readonly start: (key: K) => Effect.Effect<A, E, R | Scope.Scope>
  readonly capacity: number
}): Effect.fn.Return<Children<K, A, E>, never, R | Scope.Scope> {
  const scope = yield* Effect.scope
  const running = new Set<A>()
  const retired = new WeakSet<A>()

  /** In the scope of all children: a child's own scope cannot close while something in it waits for that. */
  const forget = (key: K) =>
    Effect.asVoid(Effect.forkIn(RcMap.invalidate(map, key), scope, { startImmediately: true }))

  /** Only the first who notices may forget the key: the next child may be there already. */
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
  // All at once, where the map would stop one after the other.
  yield* Effect.addFinalizer(() =>
    Effect.forEach([...running], (child) => child.end, { concurrency: "unbounded", discard: true })
  )

  const retireIfOver = (key: K, child: A) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => (child.isOver(now) ? retire(key, child) : Effect.void))

  return {
    get: (key) =>
      // In a scope of its own, so that a child which is over is not held by the request that replaces it.
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
