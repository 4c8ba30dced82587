import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { makeConnections, type Connection } from "../../src/bridge/Connections.ts"

/** Connections to nothing, and how many are open. */
const fakes = Effect.gen(function* () {
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
    connections: yield* makeConnections({ open, capacity: 2, idleTimeToLive: "30 minutes" }),
    living: () => living
  }
})

describe("Connections", () => {
  it.effect("there are never more connections than allowed, and one that did not open is not counted", () =>
    Effect.gen(function* () {
      const { connections, living } = yield* fakes
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
      const { connections, living } = yield* fakes
      const all = yield* Effect.forEach(Array.from({ length: 100 }), () => connections.get("one"), {
        concurrency: "unbounded"
      })
      assert.strictEqual(new Set(all).size, 1)
      assert.strictEqual(living(), 1)
    })
  )
})
