import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { FetchResponse, UpstreamFailed } from "../../../../packages/gateway-server/src/fetch/Fetch.ts"
import {
  begin,
  brokenConnection,
  empty,
  event,
  events,
  FakeBody,
  initialize,
  initializeResult,
  makeFakeServer,
  json,
  limits,
  makeStatefulServer,
  pass,
  refusedConnection,
  result,
  startRelay
} from "./FakeServer.ts"

const progress = (value: number, id?: string) =>
  event({ method: "notifications/progress", params: { progressToken: 1, progress: value } }, id)

/** A call whose answer comes in a stream, and the answers to the GETs that resume it, in turn. */
const call = Effect.fnUntraced(function* (
  post: FetchResponse | UpstreamFailed,
  ...resumptions: ReadonlyArray<FetchResponse | UpstreamFailed>
) {
  const ids: Array<string> = []
  const sessions: Array<string | undefined> = []
  const server = makeStatefulServer({
    get: ({ headers }, session) => {
      const after = headers["last-event-id"]
      if (after === undefined) return empty(405)
      ids.push(after)
      sessions.push(session)
      return resumptions[ids.length - 1] ?? empty(503)
    },
    handle: ({ message }) => (message.method === "tools/call" ? post : undefined)
  })
  const client = yield* startRelay(server.fetch)
  yield* begin(client)
  yield* client.send({ id: 1, method: "tools/call", params: {} })
  return { client, ids, server, sessions }
})

const stream = (...pieces: ReadonlyArray<string>) => {
  const body = new FakeBody()
  for (const piece of pieces) body.write(piece)
  return body
}
const ended = (...pieces: ReadonlyArray<string>) => events(stream(...pieces).end())
const broken = (...pieces: ReadonlyArray<string>) => events(stream(...pieces).break())
const answer = event(result(1, { done: true }), "last")

describe("an answer of the server whose stream breaks", () => {
  it.effect.each([
    ["ends", ended(progress(1, "1"))],
    ["is reset", broken(progress(1, "1"))],
    ["is torn in the middle of an event", broken(progress(1, "1"), 'id: 2\ndata: {"jsonr')],
    ["has begun with an event without a message", ended("id: 1\ndata: \n\n")]
  ] as const)("resumes an answer when its stream %s, and does not send the call again", ([, post]) =>
    Effect.gen(function* () {
      const { client, ids, server } = yield* call(post, ended(answer))
      yield* pass("1 second", 2)
      assert.deepStrictEqual(ids, ["1"])
      assert.deepStrictEqual(
        client.answersTo(1).map(({ result }) => result),
        [{ done: true }]
      )
      assert.strictEqual(server.count("tools/call"), 1)
    })
  )

  it.effect("resumes an answer several times, after refusals and breaks of all kinds", () =>
    Effect.gen(function* () {
      const { client, ids } = yield* call(
        broken(progress(1, "1")),
        empty(503),
        empty(409),
        empty(400),
        refusedConnection,
        brokenConnection,
        broken(": nothing\n\n"),
        broken(progress(2, "2")),
        empty(429, { "retry-after": "5" }),
        ended(answer)
      )
      yield* pass("1 second", 150)
      assert.deepStrictEqual(ids, ["1", "1", "1", "1", "1", "1", "1", "2", "2"])
      assert.lengthOf(client.answersTo(1), 1)
      assert.deepStrictEqual(client.answersTo(1)[0]?.result, { done: true })
    })
  )

  it.effect("gives an answer up in the end, with an error that says what may have happened", () =>
    Effect.gen(function* () {
      const { client, ids } = yield* call(broken(progress(1, "1")))
      yield* pass("10 seconds", 60)
      assert.lengthOf(ids, 10)
      assert.include(client.answersTo(1)[0]?.error?.message, "may have been carried out")
      assert.include(client.answersTo(1)[0]?.error?.message, "503")
    })
  )

  it.effect.each([404, 405])("gives an answer up at once when the resumption is refused with %i", (status) =>
    Effect.gen(function* () {
      const { client, ids, server } = yield* call(broken(progress(1, "1")), empty(status))
      yield* pass("1 second", 2)
      assert.lengthOf(ids, 1)
      assert.strictEqual(server.count("tools/call"), 1)
      assert.include(client.answersTo(1)[0]?.error?.message, "may have been carried out")
    })
  )

  it.effect("fetches an answer by polling for as long as the server wants", () =>
    Effect.gen(function* () {
      const polls = Array.from({ length: 60 }, () => ended("retry: 2000\n\n"))
      const { client } = yield* call(ended("id: 1\nretry: 2000\ndata: \n\n"), ...polls, ended(answer))
      yield* pass("2 seconds", 62)
      assert.deepStrictEqual(client.answersTo(1)[0]?.result, { done: true })
    })
  )

  it.effect("delivers each message once, though the server repeats some", () =>
    Effect.gen(function* () {
      const { client } = yield* call(
        broken(progress(1, "1"), progress(2, "2")),
        broken(progress(1, "1"), progress(2, "2"), progress(3, "3")),
        ended(progress(3, "3"), answer, answer)
      )
      yield* pass("1 second", 10)
      assert.deepStrictEqual(
        client.messages().map(({ id, params }) => id ?? params?.["progress"]),
        [0, 1, 2, 3, 1]
      )
    })
  )

  it.effect("resumes an answer in the session that the call was made in", () =>
    Effect.gen(function* () {
      const { client, server, sessions } = yield* call(broken(progress(1, "1")), empty(503), ended(answer))
      server.live.add("s2")
      yield* pass("1 second", 5)
      assert.deepStrictEqual(sessions, ["s1", "s1"])
      assert.lengthOf(client.answersTo(1), 1)
    })
  )

  it.effect("resumes the answer to `initialize` in the session that it begins", () =>
    Effect.gen(function* () {
      const server = makeFakeServer(({ headers, message, method }) => {
        if (method === "GET" && headers["last-event-id"] === undefined) return empty(405)
        if (method === "GET") {
          const after = `${headers["mcp-session-id"]} ${headers["last-event-id"]}`
          return ended(event(result(0, { ...initializeResult(), after }), "2"))
        }
        if (message.method !== "initialize") return empty(202)
        const response = broken("id: 1\ndata: \n\n")
        return {
          ...response,
          headers: new Headers({ "content-type": "text/event-stream", "mcp-session-id": "s1" })
        }
      })
      const client = yield* startRelay(server.fetch)
      yield* client.send(initialize)
      yield* pass("1 second")
      assert.strictEqual(client.answersTo(0)[0]?.result?.["after"], "s1 1")
      yield* client.send({ method: "notifications/initialized" })
      assert.strictEqual(
        server.requests.find(({ message }) => message.method === "notifications/initialized")?.headers[
          "mcp-session-id"
        ],
        "s1"
      )
    })
  )

  it.effect.each([
    ["a stream without event ids that breaks", broken(progress(1))],
    ["a stream without event ids that ends", ended(progress(1))],
    ["a broken connection", brokenConnection],
    ["a JSON body that breaks", { ...json(""), body: stream('{"jsonrpc":"2.0","id":1,"res').break() }],
    ["a JSON body that is no message", json({ hello: "world" })],
    ["a page", empty(200, { "content-type": "text/html" })],
    ["an empty 202", empty(202)],
    ["an answer that is too long", json(result(1, { text: "x".repeat(limits.messageBytes) }))],
    ["an event that is too long", ended(event(result(1, { text: "x".repeat(limits.messageBytes) }), "1"))]
  ] as const)("leaves open whether the call was carried out after %s", ([, post]) =>
    Effect.gen(function* () {
      const { client, ids, server } = yield* call(post)
      yield* pass("1 second", 3)
      assert.lengthOf(client.answersTo(1), 1)
      assert.include(client.answersTo(1)[0]?.error?.message, "The request may have been carried out")
      assert.strictEqual(server.count("tools/call"), 1)
      assert.lengthOf(ids, 0)
    })
  )

  it.effect("says that a request was not sent if there was no connection", () =>
    Effect.gen(function* () {
      const { client } = yield* call(refusedConnection)
      assert.include(client.answersTo(1)[0]?.error?.message, "The request was not sent")
    })
  )

  it.effect("names the limit that a message is over", () =>
    Effect.gen(function* () {
      const { client } = yield* call(json(result(1, { text: "x".repeat(limits.messageBytes) })))
      assert.include(client.answersTo(1)[0]?.error?.message, "limits.message_bytes")
      yield* client.send({ id: 2, method: "tools/list" })
      assert.lengthOf(client.answersTo(2), 1)
    })
  )

  it.effect("ends the exchange though the server keeps the stream open", () =>
    Effect.gen(function* () {
      const body = stream(answer)
      const { client } = yield* call(events(body))
      assert.lengthOf(client.answersTo(1), 1)
      yield* pass("1 second", 3)
      assert.isTrue(body.isCancelled)
    })
  )
})
