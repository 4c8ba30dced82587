import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { makeChildren, type Child } from "../../src/bridge/Children.ts"

/** Children without processes, and how many live. */
const fakes = Effect.gen(function* () {
  let living = 0
  const start = Effect.fnUntraced(function* (key: string) {
    if (key === "bad") return yield* Effect.fail("no token")
    const ended = yield* Deferred.make<void>()
    yield* Effect.acquireRelease(
      Effect.sync(() => (living += 1)),
      () => Effect.sync(() => (living -= 1))
    )
    const end = Deferred.succeed(ended, undefined)
    return { end: Effect.asVoid(end), ended: Deferred.await(ended), isOver: () => false } satisfies Child
  })
  return { children: yield* makeChildren({ start, capacity: 2 }), living: () => living }
})

describe("Children", () => {
  it.effect("there are never more children than allowed, and one that did not start is not counted", () =>
    Effect.gen(function* () {
      const { children, living } = yield* fakes
      assert.strictEqual(yield* Effect.flip(children.get("bad")), "no token")
      assert.strictEqual(yield* Effect.flip(children.get("bad")), "no token")
      const one = yield* Effect.scoped(children.get("one"))
      yield* Effect.scoped(children.get("two"))
      assert.propertyVal(yield* Effect.flip(children.get("three")), "_tag", "ExceededCapacityError")
      yield* children.retire("one", one)
      yield* children.get("three")
      assert.strictEqual(living(), 2)
    })
  )

  it.effect("simultaneous callers get the same child", () =>
    Effect.gen(function* () {
      const { children, living } = yield* fakes
      const all = yield* Effect.forEach(Array.from({ length: 100 }), () => children.get("one"), {
        concurrency: "unbounded"
      })
      assert.strictEqual(new Set(all).size, 1)
      assert.strictEqual(living(), 1)
    })
  )
})
