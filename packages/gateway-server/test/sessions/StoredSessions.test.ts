import { assert, describe, it } from "@effect/vitest"
import { StoreUnavailable } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import { makeSessionBindings, type SessionBindings } from "../../src/sessions/SessionBindings.ts"
import { SessionOwners, type SessionOwnersService } from "../../src/sessions/SessionOwners.ts"

/** A store of sessions that two processes share, which notes what it was asked. */
const makeStore = () => {
  const owners = new Map<string, string>()
  const asked: Array<string> = []
  const state = { isAway: false }
  const ask = <A>(what: string, answer: () => A): Effect.Effect<A, StoreUnavailable> =>
    Effect.suspend(() => {
      asked.push(what)
      return state.isAway
        ? Effect.fail(new StoreUnavailable({ problem: "Redis does not answer" }))
        : Effect.sync(answer)
    })
  const service: SessionOwnersService = {
    digestKey: Redacted.make(Buffer.alloc(32, 7)),
    find: (session) => ask("find", () => owners.get(session)),
    bind: (session, owner) =>
      ask("bind", () => {
        const now = owners.get(session) ?? owner
        owners.set(session, now)
        return now === owner
      }),
    remove: (session) => ask("remove", () => void owners.delete(session))
  }
  return { asked, owners, service, state }
}

const make = (store: ReturnType<typeof makeStore>, serverName = "one", capacity = 10) =>
  Effect.provideService(makeSessionBindings({ serverName, capacity }), SessionOwners, store.service)

const used = (sessions: SessionBindings, id: string, subject: string | undefined) =>
  Effect.scoped(sessions.use(id, subject))

describe("sessions that several processes know", () => {
  it.effect("a session that another process began is its person's, and the store is asked once", () =>
    Effect.gen(function* () {
      const store = makeStore()
      assert.isTrue(yield* (yield* make(store)).begin("s", "alice"))
      const other = yield* make(store)
      assert.isUndefined(other.useNow("s", "alice"), "the process has not heard of it yet")
      assert.isTrue(yield* used(other, "s", "alice"))
      assert.isFalse(yield* used(other, "s", "bob"))
      assert.isFalse(yield* used(other, "s", undefined))
      assert.isTrue(yield* used(other, "s", "alice"))
      assert.deepStrictEqual(store.asked, ["bind", "find"])
      assert.isDefined(other.useNow("s", "alice"))
      assert.isUndefined(other.useNow("s", "bob"))
    })
  )

  it.effect(
    "the same id at another server is another session, and ids and names do not reach the store",
    () =>
      Effect.gen(function* () {
        const store = makeStore()
        yield* (yield* make(store)).begin("session-id", "alice")
        const other = yield* make(store, "two")
        assert.isFalse(yield* used(other, "session-id", "alice"))
        assert.isTrue(yield* other.begin("session-id", "bob"))
        assert.isTrue(yield* other.begin("another", undefined))
        assert.strictEqual(store.owners.size, 3)
        const written = JSON.stringify([...store.owners])
        for (const text of ["session-id", "alice", "bob", "one"]) assert.notInclude(written, text)
      })
  )

  it.effect("a session that somebody else began at another process stays theirs", () =>
    Effect.gen(function* () {
      const store = makeStore()
      yield* (yield* make(store)).begin("s", "alice")
      const other = yield* make(store)
      assert.isFalse(yield* other.begin("s", "bob"))
      assert.isFalse(yield* used(other, "s", "bob"))
      assert.isTrue(yield* used(other, "s", "alice"))
      assert.isFalse(yield* other.begin("s", "bob"), "nor is it theirs when the process knows it")
      assert.isTrue(yield* other.begin("s", "alice"))
    })
  )

  it.effect("the store hears once an hour that a session is in use, and not more often", () =>
    Effect.gen(function* () {
      const store = makeStore()
      const sessions = yield* make(store)
      yield* sessions.begin("s", "alice")
      yield* TestClock.adjust("59 minutes")
      yield* used(sessions, "s", "alice")
      assert.deepStrictEqual(store.asked, ["bind"])
      assert.isDefined(sessions.useNow("s", "alice"))
      yield* TestClock.adjust("1 minute")
      assert.isUndefined(sessions.useNow("s", "alice"), "the store is to be told")
      yield* used(sessions, "s", "alice")
      assert.deepStrictEqual(store.asked, ["bind", "bind"])
      assert.isDefined(sessions.useNow("s", "alice"))
    })
  )

  it.effect("a session begins while the store is away, and is stored ten seconds later", () =>
    Effect.gen(function* () {
      const store = makeStore()
      const sessions = yield* make(store)
      store.state.isAway = true
      assert.isTrue(yield* sessions.begin("s", "alice"))
      assert.isTrue(yield* used(sessions, "s", "alice"))
      yield* TestClock.adjust("9 seconds")
      yield* used(sessions, "s", "alice")
      assert.deepStrictEqual(store.asked, ["bind"], "a store that is away is not asked by each request")
      store.state.isAway = false
      yield* TestClock.adjust("1 second")
      yield* used(sessions, "s", "alice")
      assert.deepStrictEqual(store.asked, ["bind", "bind"])
      assert.strictEqual(store.owners.size, 1)
    })
  )

  it.effect("a session that is found to be somebody else's when the store is back is not used any more", () =>
    Effect.gen(function* () {
      const store = makeStore()
      const sessions = yield* make(store)
      store.state.isAway = true
      yield* sessions.begin("s", "bob")
      store.state.isAway = false
      yield* (yield* make(store)).begin("s", "alice")
      yield* TestClock.adjust("10 seconds")
      yield* used(sessions, "s", "bob")
      assert.isFalse(yield* used(sessions, "s", "bob"))
      assert.isTrue(yield* used(sessions, "s", "alice"))
    })
  )

  it.effect("an unknown session is an error while the store is away, and nobody's otherwise", () =>
    Effect.gen(function* () {
      const store = makeStore()
      const sessions = yield* make(store)
      assert.isFalse(yield* used(sessions, "s", "alice"))
      store.state.isAway = true
      const error = yield* Effect.flip(used(sessions, "s", "alice"))
      assert.strictEqual(error.problem, "Redis does not answer")
    })
  )

  it.effect("a session that has ended is nobody's, at any process", () =>
    Effect.gen(function* () {
      const store = makeStore()
      const sessions = yield* make(store)
      yield* sessions.begin("s", "alice")
      yield* sessions.end("s")
      yield* sessions.end("never begun")
      assert.strictEqual(store.owners.size, 0)
      assert.isUndefined(sessions.useNow("s", "alice"))
      assert.isFalse(yield* used(sessions, "s", "alice"))
      assert.isFalse(yield* used(yield* make(store), "s", "alice"))
    })
  )

  it.effect("a use without a fiber keeps a session from being forgotten until it ends", () =>
    Effect.gen(function* () {
      const sessions = yield* make(makeStore(), "one", 1)
      yield* sessions.begin("used", "alice")
      const end = sessions.useNow("used", "alice")
      yield* sessions.begin("other", "alice")
      assert.isFalse(yield* sessions.begin("used", "bob"), "the one in use is not evicted")
      yield* TestClock.adjust("25 hours")
      assert.isTrue(yield* sessions.begin("used", "alice"), "nor too old")
      end?.()
      assert.isDefined(end)
      yield* TestClock.adjust("24 hours")
      assert.isUndefined(sessions.useNow("used", "alice"))
    })
  )
})
