import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as TestClock from "effect/testing/TestClock"
import { makeGrantsAnsweredBy, reasonOf, requestFor, tokenAnswer, withChance } from "../TestGrants.ts"

const request = requestFor({ token_url: "https://as.example.com/token" })
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
  /** An acquisition with all its attempts; takes six seconds of the test clock. */
  const acquire = Effect.fnUntraced(function* (by = request) {
    const fiber = yield* grants.acquire(by, undefined).pipe(withChance(0), Effect.forkChild)
    yield* TestClock.adjust("6 seconds")
    const result = yield* Effect.result(Fiber.join(fiber))
    return Result.match(result, { onFailure: reasonOf, onSuccess: () => "token" })
  })
  return {
    moments,
    grants,
    acquire,
    acquireTimes: (count: number) => Effect.forEach(Array.from({ length: count }), () => acquire()),
    /** An acquisition that takes no time, because the circuit is open. */
    reject: Effect.map(Effect.flip(grants.acquire(request, undefined)), reasonOf),
    become: (answer: Answer) => {
      health = answer
    }
  }
})

const openFor = (seconds: number) => ({ _tag: "CircuitOpen", endpoint, retryAfterSeconds: seconds })

const unavailable = { _tag: "EndpointUnavailable", endpoint, status: 503 }

describe("the circuit", () => {
  it.effect(
    "a circuit opens after five failed acquisitions in a row: the next fails at once and says the wait",
    () =>
      Effect.gen(function* () {
        const server = yield* makeServer
        assert.deepStrictEqual(
          yield* server.acquireTimes(5),
          Array.from({ length: 5 }, () => unavailable)
        )
        assert.lengthOf(server.moments, 15, "three attempts each")

        const error = yield* Effect.flip(server.grants.acquire(request, undefined))
        assert.deepStrictEqual(reasonOf(error), openFor(30))
        assert.include(error.message, `${endpoint} failed repeatedly and is left alone. Next try in 30 s`)
        assert.isTrue(error.retryable)
        assert.lengthOf(server.moments, 15, "nothing was sent")
      })
  )

  it.effect("a circuit stays open for 30 s, then 1, 2, 4 and at most 5 minutes", () =>
    Effect.gen(function* () {
      const server = yield* makeServer
      yield* server.acquireTimes(5)
      for (const seconds of [30, 60, 120, 240, 300, 300]) {
        assert.deepStrictEqual(yield* server.reject, openFor(seconds))
        yield* TestClock.adjust(`${seconds - 1} seconds`)
        assert.deepStrictEqual(yield* server.reject, openFor(1))
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* server.acquire(), unavailable, "one acquisition is let through")
      }
    })
  )

  it.effect("a circuit closes when an acquisition succeeds", () =>
    Effect.gen(function* () {
      const server = yield* makeServer
      yield* server.acquireTimes(5)
      server.become(up)
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(yield* server.acquireTimes(3), ["token", "token", "token"])
    })
  )

  it.effect("a half-open circuit admits one acquisition at a time, and another after an interruption", () =>
    Effect.gen(function* () {
      const server = yield* makeServer
      yield* server.acquireTimes(5)
      yield* TestClock.adjust("30 seconds")
      const trying = yield* Effect.forkChild(server.grants.acquire(request, undefined), {
        startImmediately: true
      })
      assert.deepStrictEqual(yield* server.reject, openFor(1))
      yield* Fiber.interrupt(trying)
      assert.deepStrictEqual(yield* server.acquire(), unavailable)
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

  it.effect("a circuit counts consecutive failures: a success resets the count", () =>
    Effect.gen(function* () {
      const server = yield* makeServer
      yield* server.acquireTimes(4)
      server.become(up)
      yield* server.acquire()
      server.become(down)
      assert.deepStrictEqual((yield* server.acquireTimes(5)).at(-1), unavailable)
      assert.deepStrictEqual(yield* server.reject, openFor(30))
    })
  )

  it.effect("a circuit stays open at least as long as Retry-After says, up to five minutes", () =>
    Effect.gen(function* () {
      const server = yield* makeServer
      yield* server.acquireTimes(4)
      server.become(tooBusy(120))
      yield* server.acquire()
      assert.deepStrictEqual(yield* server.reject, openFor(114), "six of them have passed")
      server.become(tooBusy(86_400))
      yield* TestClock.adjust("114 seconds")
      yield* server.acquire()
      assert.deepStrictEqual(yield* server.reject, openFor(294))
    })
  )

  it.effect("each token endpoint and client certificate has its own circuit", () =>
    Effect.gen(function* () {
      const server = yield* makeServer
      yield* server.acquireTimes(5)
      const tokenUrl = "https://as.example.com/token"
      const otherEndpoint = yield* server.acquire(
        requestFor({ token_url: "https://other.example.com/token" })
      )
      assert.propertyVal(otherEndpoint, "_tag", "EndpointUnavailable")
      const otherClient = yield* server.acquire(requestFor({ token_url: tokenUrl, client_id: "other" }))
      assert.propertyVal(otherClient, "_tag", "CircuitOpen")
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
})
