import { assert, describe, it } from "@effect/vitest"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as TestClock from "effect/testing/TestClock"
import { makeGrantsAnsweredBy, reasonOf, requestFor, tokenAnswer, withChance } from "../TestGrants.ts"

const tokenUrl = "https://as.example.com/token"
const request = requestFor({ token_url: tokenUrl })
/** As many owners as it takes to open the circuit of an endpoint for everybody. */
const owners = Array.from({ length: 5 }, (_, index) => ({ ...request, subject: `person-${index}` }))
const endpoint = "the token endpoint https://as.example.com/token"

type Answer = () => Response

const down: Answer = () => new Response(null, { status: 503 })
const tooBusy =
  (seconds: number): Answer =>
  () =>
    new Response(null, { status: 429, headers: { "retry-after": String(seconds) } })
const refusing: Answer = () => Response.json({ error: "invalid_client" }, { status: 401 })
const up: Answer = () => tokenAnswer()

/** An authorization server whose health is set by the test. */
const makeServer = Effect.gen(function* () {
  let health: Answer = down
  const { grants, moments } = yield* makeGrantsAnsweredBy(() => Effect.sync(() => health()))
  /** What becomes of an acquisition with all its attempts, within this time of the test clock. */
  const acquireWithin = Effect.fnUntraced(function* (time: Duration.Input, by = request) {
    const fiber = yield* grants.acquire(by, undefined).pipe(withChance(0), Effect.forkChild)
    yield* TestClock.adjust(time)
    const result = yield* Effect.result(Fiber.join(fiber))
    return Result.match(result, { onFailure: reasonOf, onSuccess: () => "token" })
  })
  /** All three attempts take six seconds. */
  const acquire = (by = request) => acquireWithin("6 seconds", by)
  return {
    moments,
    grants,
    acquire,
    acquireWithin,
    acquireTimes: (count: number) => Effect.forEach(Array.from({ length: count }), () => acquire()),
    /** Acquisitions at the same time, as in a burst of requests of many people. */
    acquireAtOnce: (count: number) =>
      Effect.forEach(Array.from({ length: count }), () => acquire(), { concurrency: "unbounded" }),
    /** An acquisition that takes no time, because the circuit is open for longer than a caller waits. */
    reject: Effect.map(Effect.flip(grants.acquire(request, undefined)), reasonOf),
    become: (answer: Answer) => {
      health = answer
    }
  }
})

const openFor = (seconds: number) => ({ _tag: "CircuitOpen", endpoint, retryAfterSeconds: seconds })

const unavailable = { _tag: "EndpointUnavailable", endpoint, status: 503 }

/** Fails until the circuit is open for 16 seconds, which no caller waits for. */
const openLong = Effect.fnUntraced(function* (server: Effect.Success<typeof makeServer>) {
  yield* server.acquireTimes(5)
  for (const seconds of [1, 2, 4, 8]) {
    yield* TestClock.adjust(`${seconds} seconds`)
    yield* server.acquire()
  }
})

/** The same for everybody: each owner's failures count once, and then the trials. */
const openForAll = Effect.fnUntraced(function* (server: Effect.Success<typeof makeServer>) {
  yield* Effect.forEach(owners, (owner) => server.acquire(owner), { concurrency: "unbounded" })
  for (const [index, seconds] of [1, 2, 4, 8].entries()) {
    yield* TestClock.adjust(`${seconds} seconds`)
    yield* server.acquire(owners[index])
  }
})

describe("the circuit", () => {
  it.effect("a circuit opens after five failed acquisitions, and the next one waits for a second", () =>
    Effect.gen(function* () {
      const server = yield* makeServer
      assert.deepStrictEqual(
        yield* server.acquireTimes(5),
        Array.from({ length: 5 }, () => unavailable)
      )
      assert.lengthOf(server.moments, 15, "three attempts each")

      server.become(up)
      const opened = server.moments.at(-1) ?? 0
      assert.strictEqual(yield* server.acquireWithin("1 second"), "token")
      assert.strictEqual((server.moments.at(-1) ?? 0) - opened, 1000)
    })
  )

  it.effect("all callers that wait for an open circuit get a token once the endpoint is back", () =>
    Effect.gen(function* () {
      const server = yield* makeServer
      yield* server.acquireTimes(5)
      server.become(up)
      assert.deepStrictEqual(
        yield* server.acquireAtOnce(3),
        Array.from({ length: 3 }, () => "token")
      )
    })
  )

  it.effect(
    "a circuit stays open for 1 s, doubling to 30 s, and callers fail at once if they cannot wait",
    () =>
      Effect.gen(function* () {
        const server = yield* makeServer
        yield* openLong(server)
        for (const seconds of [16, 30, 30]) {
          assert.deepStrictEqual(yield* server.reject, openFor(seconds))
          yield* TestClock.adjust(`${seconds - 11} seconds`)
          assert.deepStrictEqual(yield* server.reject, openFor(11))
          yield* TestClock.adjust("11 seconds")
          assert.deepStrictEqual(yield* server.acquire(), unavailable, "one acquisition is let through")
        }
        const error = yield* Effect.flip(server.grants.acquire(request, undefined))
        assert.include(error.message, `${endpoint} failed repeatedly and is left alone. Next try in 30 s`)
        assert.isTrue(error.retryable)
      })
  )

  it.effect("a caller waits ten seconds at most for an open circuit", () =>
    Effect.gen(function* () {
      const server = yield* makeServer
      yield* openLong(server)
      yield* TestClock.adjust("6 seconds")
      server.become(up)
      assert.strictEqual(yield* server.acquireWithin("10 seconds"), "token")
    })
  )

  it.effect("a caller that waits for the trial of another one fails when that takes too long", () =>
    Effect.gen(function* () {
      const never = Effect.never
      let answers: Effect.Effect<Response> = Effect.sync(down)
      const { grants, moments } = yield* makeGrantsAnsweredBy(() => answers)
      const failing = grants.acquire(request, undefined).pipe(withChance(0), Effect.forkChild)
      yield* Effect.replicateEffect(failing, 5)
      yield* TestClock.adjust("7 seconds")
      answers = never
      const trial = yield* Effect.forkChild(grants.acquire(request, undefined), { startImmediately: true })
      const waiting = yield* Effect.forkChild(Effect.flip(grants.acquire(request, undefined)))
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(reasonOf(yield* Fiber.join(waiting)), openFor(1))
      assert.lengthOf(moments, 16, "one request is on trial, and no other is sent")
      answers = Effect.sync(up)
      yield* Fiber.interrupt(trial)
      yield* grants.acquire(request, undefined)
    })
  )

  it.effect("refusals do not open a circuit, because they show that the endpoint works", () =>
    Effect.gen(function* () {
      const server = yield* makeServer
      server.become(refusing)
      yield* server.acquireTimes(10)
      assert.lengthOf(server.moments, 10)
    })
  )

  it.effect("a few failures among many successes do not open a circuit", () =>
    Effect.gen(function* () {
      const server = yield* makeServer
      server.become(up)
      yield* server.acquireTimes(20)
      server.become(down)
      assert.deepStrictEqual(
        yield* server.acquireTimes(10),
        Array.from({ length: 10 }, () => unavailable)
      )
      server.become(up)
      const sent = server.moments.length
      assert.strictEqual(yield* server.acquire(), "token")
      assert.strictEqual((server.moments[sent] ?? 0) - (server.moments[sent - 1] ?? 0), 1000, "ten of twenty")
    })
  )

  it.effect("a circuit stays open at least as long as Retry-After says, up to five minutes", () =>
    Effect.gen(function* () {
      const server = yield* makeServer
      yield* server.acquireTimes(4)
      server.become(tooBusy(120))
      yield* server.acquireWithin("0 seconds")
      assert.deepStrictEqual(yield* server.reject, openFor(120))
      server.become(tooBusy(86_400))
      yield* TestClock.adjust("120 seconds")
      yield* server.acquireWithin("0 seconds")
      assert.deepStrictEqual(yield* server.reject, openFor(300))
    })
  )

  it.effect("each token endpoint and client certificate has its own circuit", () =>
    Effect.gen(function* () {
      const server = yield* makeServer
      yield* openForAll(server)
      const otherClient = yield* server.acquireWithin(
        "0 seconds",
        requestFor({ token_url: tokenUrl, client_id: "other" })
      )
      assert.propertyVal(otherClient, "_tag", "CircuitOpen")
      const otherEndpoint = yield* server.acquire(
        requestFor({ token_url: "https://other.example.com/token" })
      )
      assert.propertyVal(otherEndpoint, "_tag", "EndpointUnavailable")
      const otherAuthorities = yield* server.acquire(
        requestFor({ token_url: tokenUrl, ca_bundle_path: "ca.pem" })
      )
      assert.propertyVal(otherAuthorities, "_tag", "CertificateUnusable")
      const otherCertificate = yield* server.acquire(
        requestFor({ token_url: tokenUrl, use_mtls: true, client_pkcs12_path: "client.p12" })
      )
      assert.propertyVal(otherCertificate, "_tag", "CertificateUnusable")
    })
  )

  it.effect("what fails for one owner again and again stops that owner and nobody else", () =>
    Effect.gen(function* () {
      const server = yield* makeServer
      yield* openLong(server)
      assert.deepStrictEqual(yield* server.reject, openFor(16))
      server.become(up)
      for (const other of owners.slice(1))
        assert.strictEqual(yield* server.acquireWithin("0 seconds", other), "token")
      assert.propertyVal(yield* server.acquireWithin("0 seconds"), "_tag", "CircuitOpen")
    })
  )

  it.effect("what fails for four owners stops no fifth one, however often they fail", () =>
    Effect.gen(function* () {
      const server = yield* makeServer
      const [fifth = request, ...four] = owners
      for (let round = 1; round <= 4; round += 1)
        for (const owner of four.slice(0, 4)) yield* server.acquire(owner)
      server.become(up)
      assert.strictEqual(yield* server.acquire(fifth), "token")
    })
  )

  it.effect("once the trial of one owner succeeds, all owners get tokens", () =>
    Effect.gen(function* () {
      const server = yield* makeServer
      yield* openForAll(server)
      server.become(up)
      yield* TestClock.adjust("16 seconds")
      const outcomes = yield* Effect.forEach(owners, (owner) => server.acquireWithin("1 second", owner), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(new Set(outcomes), new Set(["token"]))
    })
  )
})
