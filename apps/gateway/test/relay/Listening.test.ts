import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { FetchResponse } from "../../../../packages/gateway-server/src/fetch/Fetch.ts"
import {
  begin,
  brokenConnection,
  empty,
  event,
  events,
  FakeBody,
  limits,
  makeStatefulServer,
  pass,
  refusedConnection,
  type Handler,
  startRelay
} from "./FakeServer.ts"

const changed = { method: "notifications/tools/list_changed" }

/** A relay whose server answers the GETs in turn; the last answer repeats. */
const listen = Effect.fnUntraced(function* (...answers: ReadonlyArray<() => ReturnType<Handler>>) {
  const times: Array<number> = []
  const ids: Array<string | undefined> = []
  const clock = yield* Clock.Clock
  const server = makeStatefulServer({
    get: ({ headers }) => {
      const answer = answers[Math.min(times.length, answers.length - 1)]
      times.push(clock.currentTimeMillisUnsafe() / 1000)
      ids.push(headers["last-event-id"])
      return answer?.() ?? empty(405)
    }
  })
  const client = yield* startRelay(server.fetch)
  yield* begin(client)
  return { client, ids, server, times }
})

const open = (): FetchResponse => events(new FakeBody())
const ended =
  (text = "") =>
  (): FetchResponse =>
    events(new FakeBody().write(text).end())

describe("a relay that listens for messages of its server", () => {
  it.effect.each([404, 405, 501])("does not ask again after a first %i", (status) =>
    Effect.gen(function* () {
      const { client, times } = yield* listen(() => empty(status))
      yield* pass("1 minute", 10)
      assert.lengthOf(times, 1)
      yield* client.send({ id: 1, method: "tools/list" })
      assert.lengthOf(client.answersTo(1), 1)
    })
  )

  it.effect.each([
    ["409", () => empty(409)],
    ["400", () => empty(400)],
    ["429", () => empty(429)],
    ["500", () => empty(500)],
    ["503", () => empty(503)],
    ["a refused connection", () => refusedConnection],
    ["a broken connection", () => brokenConnection],
    ["a page", () => empty(200, { "content-type": "text/html" })]
  ] as const)("asks again after %s, and keeps the stream then", ([, refusal]) =>
    Effect.gen(function* () {
      const body = new FakeBody()
      const { client, times } = yield* listen(refusal, () => events(body))
      yield* pass("1 second", 3)
      assert.deepStrictEqual(times, [0, 1])
      body.write(event(changed))
      yield* pass("1 second")
      assert.strictEqual(client.messages().at(-1)?.method, changed.method)
    })
  )

  it.effect("asks again after 1, 2, 4 seconds and so on to 15, for as long as the session lives", () =>
    Effect.gen(function* () {
      const { times } = yield* listen(() => refusedConnection)
      yield* pass("1 second", 300)
      assert.deepStrictEqual(times.slice(0, 8), [0, 1, 3, 7, 15, 30, 45, 60])
      assert.isAtLeast(times.length, 20)
    })
  )

  it.effect("a 405 after the stream has been open is no reason to give it up", () =>
    Effect.gen(function* () {
      const { times } = yield* listen(ended(event(changed)), () => empty(405), open)
      yield* pass("1 second", 10)
      assert.lengthOf(times, 3)
    })
  )

  it.effect("obeys `Retry-After`, up to a minute", () =>
    Effect.gen(function* () {
      const { times } = yield* listen(
        () => empty(429, { "retry-after": "20" }),
        () => empty(503, { "retry-after": "86400" }),
        () => empty(429, { "retry-after": "Thu, 01 Jan 1970 00:01:50 GMT" }),
        open
      )
      yield* pass("1 second", 200)
      assert.deepStrictEqual(times, [0, 20, 80, 110])
    })
  )

  it.effect("resumes the stream behind the last event", () =>
    Effect.gen(function* () {
      const { client, ids } = yield* listen(
        ended(event(changed, "é1")),
        ended(event({ method: "notifications/message", params: {} }, "é2")),
        open
      )
      yield* pass("1 second", 3)
      assert.deepStrictEqual(
        ids.map((id) => (id === undefined ? undefined : Buffer.from(id, "latin1").toString())),
        [undefined, "é1", "é2"]
      )
      assert.lengthOf(client.messages(), 3)
    })
  )

  it.effect("waits as long as the server's `retry` says, within bounds", () =>
    Effect.gen(function* () {
      const withRetry = (milliseconds: number) => ended(`retry: ${milliseconds}\n${event(changed)}`)
      const { times } = yield* listen(withRetry(5000), withRetry(3_600_000), withRetry(5000), open)
      yield* pass("1 second", 60)
      assert.deepStrictEqual(times, [0, 5, 35, 40])
    })
  )

  it.effect("a server that wants no pause is not asked without end", () =>
    Effect.gen(function* () {
      const { times } = yield* listen(ended("retry: 0\n\n"))
      yield* pass("100 millis", 100)
      assert.isBelow(times.length, 20)
      assert.isAbove(times.length, 5)
    })
  )

  it.effect("a stream that was open for long is opened again soon, though it brought nothing", () =>
    Effect.gen(function* () {
      const bodies: Array<FakeBody> = []
      const { times } = yield* listen(() => {
        bodies.push(new FakeBody())
        return events(bodies.at(-1) ?? new FakeBody())
      })
      for (let count = 0; count < 5; count++) {
        yield* pass("1 minute")
        bodies.at(-1)?.end()
        yield* pass("1 second")
      }
      assert.deepStrictEqual(times, [0, 61, 122, 183, 244, 305])
    })
  )

  it.effect("delivers events that a resumption repeats once", () =>
    Effect.gen(function* () {
      const first = event({ method: "a" }, "1") + event({ method: "b" }, "2")
      const { client } = yield* listen(ended(first), ended(first + event({ method: "c" }, "3")), open)
      yield* pass("1 second", 3)
      assert.deepStrictEqual(
        client.messages().map(({ method }) => method),
        [undefined, "a", "b", "c"]
      )
    })
  )

  it.effect("delivers the events of a server that numbers each stream anew", () =>
    Effect.gen(function* () {
      const { client } = yield* listen(
        ended(event({ method: "a" }, "1") + event({ method: "b" }, "2")),
        ended(event({ method: "c" }, "1") + event({ method: "b" }, "2")),
        open
      )
      yield* pass("1 second", 3)
      assert.deepStrictEqual(
        client.messages().map(({ method }) => method),
        [undefined, "a", "b", "c", "b"]
      )
    })
  )

  it.effect("does not ask for a message that is too long a second time", () =>
    Effect.gen(function* () {
      const long = event({ method: "x", params: { text: "x".repeat(limits.messageBytes) } }, "2")
      const { client, ids } = yield* listen(ended(event({ method: "a" }, "1") + long), open)
      yield* pass("1 second", 3)
      assert.deepStrictEqual(ids, [undefined, undefined])
      yield* client.send({ id: 1, method: "tools/list" })
      assert.lengthOf(client.answersTo(1), 1)
    })
  )
})
