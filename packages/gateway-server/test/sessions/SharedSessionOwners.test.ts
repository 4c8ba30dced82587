import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { makeSharedSessionOwners } from "../../src/sessions/SharedSessionOwners.ts"

describe("whose the sessions are, for several processes", () => {
  it.effect("a session that an owner has stays theirs, until it is removed", () =>
    Effect.gen(function* () {
      const owners = makeSharedSessionOwners(10)
      assert.isTrue(yield* owners.bind("session", "alice"))
      assert.isFalse(yield* owners.bind("session", "bob"))
      assert.strictEqual(yield* owners.find("session"), "alice")
      yield* owners.remove("session")
      assert.isUndefined(yield* owners.find("session"))
      assert.isTrue(yield* owners.bind("session", "bob"))
    })
  )

  it.effect("a session is forgotten 24 hours after it was bound last", () =>
    Effect.gen(function* () {
      const owners = makeSharedSessionOwners(10)
      yield* owners.bind("session", "alice")
      yield* TestClock.adjust("23 hours")
      yield* owners.bind("session", "alice")
      yield* TestClock.adjust("23 hours")
      assert.strictEqual(yield* owners.find("session"), "alice")
      yield* TestClock.adjust("1 hour")
      assert.isUndefined(yield* owners.find("session"))
      assert.isTrue(yield* owners.bind("session", "bob"))
    })
  )

  it.effect("over the capacity the owner with the most sessions loses the one bound the longest ago", () =>
    Effect.gen(function* () {
      const owners = makeSharedSessionOwners(3)
      yield* owners.bind("of bob", "bob")
      for (const session of ["first", "second", "third"]) yield* owners.bind(session, "alice")
      assert.strictEqual(yield* owners.find("of bob"), "bob")
      assert.isUndefined(yield* owners.find("first"))
      assert.strictEqual(yield* owners.find("third"), "alice")
    })
  )

  it.effect("only what an owner still has counts when one session too many is bound", () =>
    Effect.gen(function* () {
      const owners = makeSharedSessionOwners(3)
      const known = Effect.fnUntraced(function* (...sessions: ReadonlyArray<string>) {
        const found = yield* Effect.forEach(sessions, (session) => owners.find(session))
        return sessions.filter((_, index) => found[index] !== undefined)
      })
      yield* owners.bind("a1", "alice")
      yield* owners.bind("a2", "alice")
      yield* owners.bind("a1", "alice")
      yield* owners.bind("b1", "bob")
      assert.deepStrictEqual(yield* known("a1", "a2", "b1"), ["a1", "a2", "b1"], "there is room for three")
      yield* owners.bind("b2", "bob")
      assert.deepStrictEqual(yield* known("a1", "a2", "b1", "b2"), ["a1", "b1", "b2"], "a2 was bound first")
      yield* owners.remove("a1")
      yield* owners.bind("c1", "carol")
      yield* owners.bind("a3", "alice")
      assert.deepStrictEqual(yield* known("a3", "b1", "b2", "c1"), ["a3", "b2", "c1"], "bob had the most")
    })
  )
})
