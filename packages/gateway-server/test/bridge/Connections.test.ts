import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import { makeConnections, type Connection } from "../../src/bridge/Connections.ts"

/** The keys of Ada's connections begin with her name; all others belong to nobody. */
const ownerOf = (key: string) => (key.startsWith("ada") ? "ada" : undefined)

/** Connections to nothing, and how many are open. */
const fakes = Effect.fnUntraced(function* (capacity = 2) {
  let living = 0
  const open = Effect.fnUntraced(function* (key: string) {
    if (key === "bad") return yield* Effect.fail("no token")
    const ended = yield* Deferred.make<void>()
    yield* Effect.acquireRelease(
      Effect.sync(() => (living += 1)),
      () => Effect.sync(() => (living -= 1))
    )
    const end = Deferred.succeed(ended, undefined)
    return { end: Effect.asVoid(end), ended: Deferred.await(ended), isOver: () => false } satisfies Connection
  })
  return {
    connections: yield* makeConnections({ open, ownerOf, capacity, idleTimeToLive: "30 minutes" }),
    living: () => living
  }
})

describe("Connections", () => {
  it.effect("there are never more connections than allowed, and one that did not open is not counted", () =>
    Effect.gen(function* () {
      const { connections, living } = yield* fakes()
      assert.strictEqual(yield* Effect.flip(connections.get("bad")), "no token")
      assert.strictEqual(yield* Effect.flip(connections.get("bad")), "no token")
      const one = yield* Effect.scoped(connections.get("one"))
      yield* Effect.scoped(connections.get("two"))
      assert.propertyVal(yield* Effect.flip(connections.get("three")), "_tag", "ExceededCapacityError")
      yield* connections.retire("one", one)
      yield* connections.get("three")
      assert.strictEqual(living(), 2)
    })
  )

  it.effect("simultaneous callers get the same connection", () =>
    Effect.gen(function* () {
      const { connections, living } = yield* fakes()
      const all = yield* Effect.forEach(Array.from({ length: 100 }), () => connections.get("one"), {
        concurrency: "unbounded"
      })
      assert.strictEqual(new Set(all).size, 1)
      assert.strictEqual(living(), 1)
    })
  )

  it.effect("the one that its owner has not used for longest ends for an owner who has less", () =>
    Effect.gen(function* () {
      const { connections, living } = yield* fakes(4)
      const isOpen = (key: string) =>
        Effect.map(Effect.scoped(connections.find(key)), (found) => found !== undefined)
      yield* connections.get("ada in use")
      for (const key of ["ada 1", "ada 2", "ada 3"]) {
        yield* Effect.scoped(connections.get(key))
        yield* TestClock.adjust("1 minute")
      }
      yield* Effect.scoped(connections.get("ada 1"))
      yield* Effect.scoped(connections.get("other 1"))
      assert.isFalse(yield* isOpen("ada 2"))
      assert.isTrue(yield* isOpen("ada 1"))
      // Ada has three and the other one has one: one more is fair, and then no more.
      yield* Effect.scoped(connections.get("other 2"))
      assert.isTrue(yield* isOpen("ada in use"))
      for (const key of ["other 3", "ada 4"])
        assert.propertyVal(
          yield* Effect.flip(Effect.scoped(connections.get(key))),
          "_tag",
          "ExceededCapacityError"
        )
      assert.strictEqual(living(), 4)
    })
  )

  describe("a connection that is used without fibers", () => {
    const enter = Effect.fnUntraced(function* (
      connections: Effect.Success<ReturnType<typeof fakes>>["connections"],
      key: string
    ) {
      return connections.enterNow(key, yield* Clock.currentTimeMillis)
    })
    const settle = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))

    it.effect("it is found once it is open and was asked for, and only under its own key", () =>
      Effect.gen(function* () {
        const { connections } = yield* fakes()
        assert.isUndefined(yield* enter(connections, "one"))
        const one = yield* Effect.scoped(connections.get("one"))
        assert.isUndefined(yield* enter(connections, "one"))
        yield* settle
        assert.strictEqual((yield* enter(connections, "one"))?.connection, one)
        assert.isUndefined(yield* enter(connections, "two"))
      })
    )

    it.effect("it ends when nobody has used it for the idle time, and not while somebody does", () =>
      Effect.gen(function* () {
        const { connections, living } = yield* fakes()
        yield* Effect.scoped(connections.get("one"))
        yield* enter(connections, "one")
        yield* settle
        const used = yield* enter(connections, "one")
        yield* TestClock.adjust("2 hours")
        assert.strictEqual(living(), 1)
        used?.leave()
        yield* TestClock.adjust("29 minutes")
        yield* Effect.scoped(connections.find("one"))
        yield* TestClock.adjust("29 minutes")
        assert.strictEqual(living(), 1)
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(living(), 0)
        assert.isUndefined(yield* enter(connections, "one"))
      })
    )

    it.effect("it is not found any more once it has ended or was removed", () =>
      Effect.gen(function* () {
        const { connections, living } = yield* fakes()
        for (const key of ["one", "two"]) {
          yield* Effect.scoped(connections.get(key))
          yield* enter(connections, key)
        }
        yield* settle
        const one = yield* enter(connections, "one")
        const two = yield* enter(connections, "two")
        assert.isDefined(one)
        assert.isDefined(two)
        yield* one.connection.end
        yield* connections.retire("two", two.connection)
        yield* settle
        assert.isUndefined(yield* enter(connections, "one"))
        assert.isUndefined(yield* enter(connections, "two"))
        assert.strictEqual(living(), 0)
      })
    )

    it.effect("it ends for an owner who has less, if it is not in use at that time", () =>
      Effect.gen(function* () {
        const { connections } = yield* fakes(4)
        for (const key of ["ada 1", "ada 2", "ada 3", "ada 4"]) {
          yield* Effect.scoped(connections.get(key))
          yield* enter(connections, key)
          yield* settle
          yield* TestClock.adjust("1 second")
        }
        yield* enter(connections, "ada 1")
        yield* Effect.scoped(connections.get("grace"))
        const isOpen = (key: string) =>
          Effect.map(Effect.scoped(connections.find(key)), (found) => found !== undefined)
        assert.deepStrictEqual(yield* Effect.forEach(["ada 1", "ada 2", "ada 3", "ada 4", "grace"], isOpen), [
          true,
          false,
          true,
          true,
          true
        ])
      })
    )
  })
})
