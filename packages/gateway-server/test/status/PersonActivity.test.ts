import { assert, describe, it } from "@effect/vitest"
import { PersonActivity } from "@secure-mcp/gateway-server"
import { OAuthEvents, type OAuthEvent } from "@secure-mcp/oauth-core"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { personOf } from "../../src/callers/Person.ts"

const provided = Effect.provide(PersonActivity.layer)

const alice = { subject: "alice" }

const failed = (subject?: string): OAuthEvent => ({
  _tag: "AcquisitionFailed",
  serverName: "files",
  ...(subject === undefined ? {} : { subject }),
  duration: Duration.zero,
  refresh: true,
  reason: "RequestTimeout"
})

const acquired = (subject?: string): OAuthEvent => ({
  _tag: "TokenAcquired",
  serverName: "files",
  ...(subject === undefined ? {} : { subject }),
  duration: Duration.zero,
  refresh: true
})

const nothing = { lastUseAt: undefined, lastError: undefined, askedBy: undefined }

describe("the activity of a person", () => {
  it.effect("the last use of a server is remembered for that person and server alone", () =>
    Effect.gen(function* () {
      const { get, use } = yield* PersonActivity
      yield* TestClock.setTime(1000)
      use("files", alice)
      yield* TestClock.setTime(2000)
      use("files", alice)
      assert.strictEqual(get("files", "alice").lastUseAt, 2000)
      assert.deepStrictEqual(get("files", "bob"), nothing)
      assert.deepStrictEqual(get("mail", "alice"), nothing)
    }).pipe(provided)
  )

  it.effect(
    "a person is the same one with another key or token, and not the one whom another issuer calls so",
    () =>
      Effect.gen(function* () {
        const { get, use } = yield* PersonActivity
        const ofIssuer = { issuer: "https://one.example", subject: "alice" }
        yield* TestClock.setTime(1000)
        use("files", { ...ofIssuer })
        yield* TestClock.setTime(2000)
        use("files", { ...ofIssuer })
        use("mail", { ...alice })
        assert.strictEqual(get("files", personOf(ofIssuer) ?? "").lastUseAt, 2000)
        assert.deepStrictEqual(get("files", "alice"), nothing)
        assert.strictEqual(get("mail", "alice").lastUseAt, 2000)
      }).pipe(provided)
  )

  it.effect("nothing is remembered of a caller whom the gateway does not know", () =>
    Effect.gen(function* () {
      const { ask, get, note, use } = yield* PersonActivity
      use("files", { subject: undefined })
      ask("files", undefined, "Some client")
      yield* note(failed())
      for (const person of ["", "undefined", "null"]) assert.deepStrictEqual(get("files", person), nothing)
    }).pipe(provided)
  )

  it.effect("an error is remembered until this person's token is obtained again", () =>
    Effect.gen(function* () {
      const { get, note } = yield* PersonActivity
      yield* TestClock.setTime(1000)
      yield* note(failed("alice"))
      yield* note(acquired("bob"))
      yield* note(acquired())
      assert.deepStrictEqual(get("files", "alice").lastError, {
        reason: "RequestTimeout",
        at: "1970-01-01T00:00:01.000Z"
      })
      assert.deepStrictEqual(get("files", "bob"), nothing)
      yield* note(acquired("alice"))
      assert.isUndefined(get("files", "alice").lastError)
    }).pipe(provided)
  )

  it.effect("events that are published are heard", () =>
    Effect.gen(function* () {
      yield* (yield* OAuthEvents).publish(failed("alice"))
      yield* Effect.yieldNow
      assert.strictEqual((yield* PersonActivity).get("files", "alice").lastError?.reason, "RequestTimeout")
    }).pipe(Effect.provide(PersonActivity.layerEvents.pipe(Layer.provideMerge(PersonActivity.layer))))
  )

  it.effect("the client that asked last is remembered, with the first 100 characters of its name", () =>
    Effect.gen(function* () {
      const { ask, get } = yield* PersonActivity
      ask("files", "alice", "Claude Code")
      assert.strictEqual(get("files", "alice").askedBy, "Claude Code")
      ask("files", "alice", "x".repeat(1_000_000))
      assert.strictEqual(get("files", "alice").askedBy, "x".repeat(100))
      ask("files", "alice", undefined)
      assert.isUndefined(get("files", "alice").askedBy)
    }).pipe(provided)
  )
})

describe("how much of persons is remembered", () => {
  const many = Array.from({ length: 10_000 }, (_, index) => ({ subject: `person-${index}` }))

  it.effect("the 10,001st person takes the place of the one who was not heard of for the longest time", () =>
    Effect.gen(function* () {
      const { ask, get, note, use } = yield* PersonActivity
      for (const caller of many) use("files", caller)
      // These three are heard of again.
      use("files", many[0] ?? alice)
      ask("files", "person-1", "Claude Code")
      yield* note(failed("person-2"))
      use("mail", alice)
      assert.isDefined(get("mail", "alice").lastUseAt)
      for (const kept of [0, 1, 2, 4, 9999])
        assert.isDefined(get("files", `person-${kept}`).lastUseAt, `${kept}`)
      assert.deepStrictEqual(get("files", "person-3"), nothing)
    }).pipe(provided)
  )

  it.effect("a person who was forgotten is remembered from the next use on, also as the same caller", () =>
    Effect.gen(function* () {
      const { get, use } = yield* PersonActivity
      use("files", alice)
      for (const caller of many) use("files", caller)
      assert.deepStrictEqual(get("files", "alice"), nothing)
      yield* TestClock.setTime(7000)
      use("files", alice)
      assert.strictEqual(get("files", "alice").lastUseAt, 7000)
      assert.deepStrictEqual(get("files", "person-0"), nothing)
      // Once more by another object: it is one entry, and nobody else is forgotten for it.
      yield* TestClock.setTime(8000)
      use("files", { ...alice })
      assert.strictEqual(get("files", "alice").lastUseAt, 8000)
      assert.isDefined(get("files", "person-1").lastUseAt)
    }).pipe(provided)
  )
})
