import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { makeSessionBindings } from "../../src/sessions/SessionBindings.ts"

const make = (capacity = 10) => makeSessionBindings({ serverName: "one", capacity })

describe("bindings of sessions", () => {
  it.effect("a session is forgotten after 24 hours without a request", () =>
    Effect.gen(function* () {
      const sessions = yield* make()
      const isKnown = Effect.scoped(sessions.use("s", "alice"))
      assert.isTrue(yield* sessions.begin("s", "alice"))
      yield* TestClock.adjust("23 hours")
      assert.isTrue(yield* isKnown)
      yield* TestClock.adjust("23 hours")
      assert.isTrue(yield* isKnown)
      yield* TestClock.adjust("24 hours")
      assert.isFalse(yield* isKnown)
      assert.isTrue(yield* sessions.begin("s", "bob"), "then it may be somebody else's")
    })
  )

  it.effect("a session with an open stream is not forgotten, by time or for others", () =>
    Effect.gen(function* () {
      const sessions = yield* make(1)
      yield* sessions.begin("s", "alice")
      yield* Effect.scoped(
        Effect.gen(function* () {
          assert.isTrue(yield* sessions.use("s", "alice"))
          yield* TestClock.adjust("72 hours")
          yield* sessions.begin("another", "alice")
          assert.isFalse(yield* sessions.begin("s", "bob"))
        })
      )
      assert.isTrue(yield* Effect.scoped(sessions.use("s", "alice")))
      assert.isFalse(yield* Effect.scoped(sessions.use("another", "alice")), "there is room for one")
    })
  )

  it.effect("a person who begins many sessions does not make those of others forgotten", () =>
    Effect.gen(function* () {
      const sessions = yield* make(5)
      yield* sessions.begin("of bob", "bob")
      for (let count = 0; count < 100; count += 1) yield* sessions.begin(`of alice ${count}`, "alice")
      assert.isTrue(yield* Effect.scoped(sessions.use("of bob", "bob")))
      assert.isTrue(yield* Effect.scoped(sessions.use("of alice 99", "alice")))
      assert.isFalse(yield* Effect.scoped(sessions.use("of alice 0", "alice")))
    })
  )
})
