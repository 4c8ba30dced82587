import { assert, describe, it } from "@effect/vitest"
import { Answer, Certificates, refusedPort, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import {
  makeGrants,
  makeGrantsAnsweredBy,
  reasonOf,
  requestFor,
  settle,
  tokenAnswer,
  withChance
} from "../TestGrants.ts"

const request = requestFor({ token_url: "https://as.example.com/token?secret=in-the-query" })

const failing = (status: number, retryAfter?: string) => () =>
  Effect.succeed(
    new Response(null, { status, headers: retryAfter === undefined ? {} : { "retry-after": retryAfter } })
  )

const outcomeAfter = Effect.fnUntraced(function* (
  duration: Duration.Input,
  answer: Parameters<typeof makeGrantsAnsweredBy>[0],
  chance = 0
) {
  const { grants, moments } = yield* makeGrantsAnsweredBy(answer)
  const fiber = yield* grants.acquire(request, undefined).pipe(withChance(chance), Effect.forkChild)
  yield* TestClock.adjust(duration)
  return { result: yield* Effect.result(Fiber.join(fiber)), moments }
})

const failureAfter = Effect.fnUntraced(function* (...parameters: Parameters<typeof outcomeAfter>) {
  const { moments, result } = yield* outcomeAfter(...parameters)
  assert(Result.isFailure(result))
  return { error: result.failure, moments }
})

describe("retries", () => {
  it.effect.each([429, 500, 502, 503, 504, 599])(
    "HTTP %i is tried three times: after 2 s, then 4 s",
    (status) =>
      Effect.gen(function* () {
        const { error, moments } = yield* failureAfter("6 seconds", failing(status))
        assert.deepStrictEqual(moments, [0, 2000, 6000])
        assert.deepStrictEqual(reasonOf(error), {
          _tag: "EndpointUnavailable",
          endpoint: "the token endpoint https://as.example.com/token",
          status
        })
        assert.isTrue(error.retryable)
      })
  )

  it.effect("jitter adds up to a quarter to each wait", () =>
    Effect.gen(function* () {
      const half = yield* failureAfter("1 minute", failing(503), 0.5)
      assert.deepStrictEqual(half.moments, [0, 2250, 6750])
      const full = yield* failureAfter("1 minute", failing(503), 1)
      assert.deepStrictEqual(
        full.moments.map((moment) => moment - 60_000),
        [0, 2500, 7500]
      )
    })
  )

  it.effect("two waits differ by their jitter", () =>
    Effect.gen(function* () {
      const { grants, moments } = yield* makeGrantsAnsweredBy(failing(503))
      yield* grants.acquire(request, undefined).pipe(Random.withSeed("a seed"), Effect.forkChild)
      yield* TestClock.adjust("1 minute")
      const [, second = 0, third = 0] = moments
      assert.isTrue(second > 2000 && second < 2500, String(second))
      assert.isTrue(third - second > 4000 && third - second < 5000, String(third))
    })
  )

  it.effect("retries end at the first success", () =>
    Effect.gen(function* () {
      const { moments, result } = yield* outcomeAfter("1 minute", (_url, count) =>
        count < 3 ? failing(503)() : Effect.succeed(tokenAnswer())
      )
      assert.isTrue(Result.isSuccess(result))
      assert.deepStrictEqual(moments, [0, 2000, 6000])
    })
  )

  it.effect("a missing answer times out after 10 s by default, and is retried", () =>
    Effect.gen(function* () {
      const { error, moments } = yield* failureAfter("1 minute", () => Effect.never)
      assert.deepStrictEqual(moments, [0, 12_000, 26_000])
      assert.deepStrictEqual(reasonOf(error), {
        _tag: "RequestTimeout",
        endpoint: "the token endpoint https://as.example.com/token",
        seconds: 10
      })
    })
  )

  const retryAfters: ReadonlyArray<readonly [retryAfter: string, moments: Array<number>]> = [
    ["0", [0, 2000, 6000]],
    ["1", [0, 2000, 6000]],
    ["3", [0, 3000, 7000]],
    ["30", [0, 30_000, 60_000]],
    [new Date(20_000).toUTCString(), [0, 20_000, 24_000]],
    [new Date(-5000).toUTCString(), [0, 2000, 6000]],
    ["soon", [0, 2000, 6000]],
    ["-7", [0, 2000, 6000]]
  ]

  it.effect.each(retryAfters)("Retry-After: %s is the minimum wait", ([retryAfter, expected]) =>
    Effect.gen(function* () {
      const { moments } = yield* failureAfter("1 minute", failing(503, retryAfter))
      assert.deepStrictEqual(moments, expected)
    })
  )

  const tooLong = [
    ["31", 31],
    ["86400", 86_400],
    ["9".repeat(400), 31_536_000],
    [new Date(45_000).toUTCString(), 45]
  ] as const

  it.effect.each(tooLong)("Retry-After: %s is reported instead of waited for", ([retryAfter, seconds]) =>
    Effect.gen(function* () {
      const { error, moments } = yield* failureAfter("0 seconds", failing(429, retryAfter))
      assert.deepStrictEqual(moments, [0])
      assert.deepInclude(reasonOf(error), { _tag: "EndpointUnavailable", retryAfterSeconds: seconds })
      assert.include(error.message, `Try again in ${seconds} s`)
    })
  )

  it.effect("a retry over real HTTP gets the token", () =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      yield* server.enqueue("/token", Answer.status(503), Answer.token())
      const grants = yield* makeGrants({ authTimeout: "1 hour" })
      yield* settle(grants.acquire(requestFor({ token_url: server.endpoint("/token") }), undefined))
      const requests = yield* server.requestsTo("/token")
      assert.lengthOf(requests, 2)
      assert.strictEqual(requests[0]?.body, requests[1]?.body)
      assert.strictEqual(requests[0]?.headers["x-request-id"], requests[1]?.headers["x-request-id"])
    })
  )
})

describe("connection failures", () => {
  it.effect("a refused connection is a retryable error that does not show the query", () =>
    Effect.gen(function* () {
      const port = yield* refusedPort
      const grants = yield* makeGrants({ authTimeout: "1 hour" })
      const tokenUrl = `http://127.0.0.1:${port}/token?secret=in-the-query`
      const error = yield* Effect.flip(settle(grants.acquire(requestFor({ token_url: tokenUrl }), undefined)))
      assert.deepStrictEqual(reasonOf(error), {
        _tag: "ConnectionFailed",
        endpoint: `the token endpoint http://127.0.0.1:${port}/token`,
        problem: "connection refused",
        code: "ECONNREFUSED"
      })
      assert.isTrue(error.retryable)
      assert.notInclude(JSON.stringify(error) + error.message, "in-the-query")
    })
  )

  it.effect.each([
    ["before the answer", Answer.reset],
    ["in the middle of the body", Answer.resetMidBody]
  ] as const)("a connection that breaks %s is retried", ([, answer]) =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      yield* server.always("/token", answer)
      const grants = yield* makeGrants({ authTimeout: "1 hour" })
      const error = yield* Effect.flip(
        settle(grants.acquire(requestFor({ token_url: server.endpoint("/token") }), undefined))
      )
      assert.strictEqual(reasonOf(error)["_tag"], "ConnectionFailed")
      assert.match(
        error.message,
        /could not be reached \(the connection was (?:reset|closed before an answer came)\)/
      )
      assert.lengthOf(yield* server.requests, 3)
    })
  )

  it.effect("an untrusted server certificate is an error that names `ca_bundle_path`", () =>
    Effect.gen(function* () {
      const authority = yield* Certificates.makeAuthority("Nobody's")
      const { certificatePem, privateKeyPem } = yield* authority.issueServer()
      const server = yield* StubAuthorizationServer.make({
        tls: { cert: certificatePem, key: privateKeyPem }
      })
      const grants = yield* makeGrants({ authTimeout: "1 hour" })
      const error = yield* Effect.flip(
        settle(grants.acquire(requestFor({ token_url: server.endpoint("/token") }), undefined))
      )
      assert.include(
        error.message,
        "could not be reached (its certificate is not of an authority that is trusted here). See `ca_bundle_path`"
      )
      assert.lengthOf(yield* server.requests, 0)
    })
  )
})

describe("the timeout of an attempt", () => {
  it.effect("the timeout ends a body that never ends", () =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      yield* server.always(
        "/token",
        Answer.streamed(Stream.concat(Stream.make(`{"access_token":`), Stream.never))
      )
      const grants = yield* makeGrants({ authTimeout: "5 seconds" })
      const error = yield* Effect.flip(
        settle(grants.acquire(requestFor({ token_url: server.endpoint("/token") }), undefined))
      )
      assert.deepInclude(reasonOf(error), { _tag: "RequestTimeout", seconds: 5 })
    })
  )

  it.effect("the timeout aborts the request", () =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      yield* server.always("/token", Answer.hang)
      const grants = yield* makeGrants({ authTimeout: "7 seconds" })
      yield* Effect.forkChild(grants.acquire(requestFor({ token_url: server.endpoint("/token") }), undefined))
      yield* server.received(1)
      yield* TestClock.adjust("7 seconds")
      yield* server.aborted(1)
    })
  )
})

describe("interruption", () => {
  it.effect("interruption aborts the request", () =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      yield* server.always("/token", Answer.hang)
      const grants = yield* makeGrants()
      const fiber = yield* Effect.forkChild(
        grants.acquire(requestFor({ token_url: server.endpoint("/token") }), undefined)
      )
      yield* server.received(1)
      yield* Fiber.interrupt(fiber)
      yield* server.aborted(1)
    })
  )

  it.effect("interruption ends the wait between two attempts", () =>
    Effect.gen(function* () {
      const { grants, moments } = yield* makeGrantsAnsweredBy(failing(503))
      const fiber = yield* Effect.forkChild(grants.acquire(request, undefined))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(moments, [0])
    })
  )
})
