import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { makeSseSession } from "../../../../packages/gateway-server/src/relay/session/SseSession.ts"
import { connectSse } from "../../../../packages/gateway-server/src/sse/SseConnection.ts"
import { makeSseServer } from "../sse/FakeSseServer.ts"
import {
  begin,
  brokenConnection,
  empty,
  event,
  limits,
  pass,
  refusedConnection,
  result,
  startRelay
} from "./FakeServer.ts"
import { playSteps } from "./playSteps.ts"

/** How a server answers one call: some acceptances break although the call is carried out. */
const fates = [
  "answer",
  "twice",
  "never",
  "refused",
  "broken",
  "broken and answer",
  "unknown",
  "busy"
] as const

type Step =
  | { readonly _tag: "Call"; readonly fate: (typeof fates)[number] }
  | { readonly _tag: "Cancel"; readonly which: number }
  | { readonly _tag: "Break" | "Down" | "Up" | "Tell" }
  | { readonly _tag: "Pass"; readonly seconds: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: fc.constantFrom(...fates).map((fate): Step => ({ _tag: "Call", fate })), weight: 6 },
  { arbitrary: fc.nat(16).map((which): Step => ({ _tag: "Cancel", which })), weight: 1 },
  {
    arbitrary: fc
      .constantFrom("Break" as const, "Down" as const, "Up" as const, "Tell" as const)
      .map((_tag): Step => ({ _tag })),
    weight: 4
  },
  { arbitrary: fc.integer({ min: 1, max: 5 }).map((seconds): Step => ({ _tag: "Pass", seconds })), weight: 2 }
)

const check = Effect.fnUntraced(function* (steps: ReadonlyArray<Step>) {
  let isDown = false
  let told = 0
  const carriedOut = new Map<unknown, number>()
  const server = makeSseServer({
    get: () => (isDown ? refusedConnection : undefined),
    post: ({ message }, stream) => {
      if (isDown || !stream.isOpen) return isDown ? refusedConnection : empty(404)
      const fate = message.params?.["fate"]
      if (fate === "refused") return refusedConnection
      if (fate === "unknown") return empty(404)
      if (fate === "busy") return empty(503)
      if (fate === "broken and answer") stream.write(event(result(message.id, { of: message.id })))
      return fate === "broken" || fate === "broken and answer" ? brokenConnection : undefined
    },
    handle: ({ message }, stream) => {
      carriedOut.set(message.id, (carriedOut.get(message.id) ?? 0) + 1)
      const fate = message.params?.["fate"]
      if (fate === "never") return
      const answer = event(result(message.id, { of: message.id }))
      stream.write(fate === "twice" ? answer + answer : answer)
    }
  })
  const client = yield* startRelay(server.fetch, (deliver) =>
    makeSseSession({
      deliver,
      connect: (onMessage) =>
        connectSse({ fetch: server.fetch, messageBytes: limits.messageBytes }, onMessage)
    })
  )
  yield* begin(client)
  const calls = new Map<number, string>()
  const cancelled = new Set<number>()
  for (const next of steps) {
    const stream = server.streams.at(-1)
    switch (next._tag) {
      case "Call":
        calls.set(calls.size + 1, next.fate)
        yield* client.send({ id: calls.size, method: "call", params: { fate: next.fate } })
        break
      case "Cancel":
        cancelled.add(next.which)
        yield* client.send({ method: "notifications/cancelled", params: { requestId: next.which } })
        break
      case "Break":
        stream?.break()
        break
      case "Down":
        isDown = true
        stream?.break()
        break
      case "Up":
        isDown = false
        break
      case "Tell":
        told += 1
        if (stream?.isOpen === true) stream.write(event({ method: "told", params: { number: told } }))
        break
      case "Pass":
        yield* pass("1 second", next.seconds)
    }
  }
  isDown = false
  yield* pass("15 seconds", 4)
  server.streams.at(-1)?.break()
  yield* pass("1 second", 3)
  for (const [id, fate] of calls) {
    const answers = client.answersTo(id)
    const name = `call ${id} (${fate})`
    if (cancelled.has(id)) assert.isAtMost(answers.length, 1, name)
    else assert.lengthOf(answers, 1, name)
    if (answers[0]?.result !== undefined) assert.deepStrictEqual(answers[0].result, { of: id }, name)
    assert.isAtMost(carriedOut.get(id) ?? 0, 1, `${name} is carried out`)
  }
  assert.lengthOf(client.answersTo(0), 1)
  const numbers = client
    .messages()
    .flatMap(({ method, params }) => (method === "told" ? [params?.["number"]] : []))
  assert.lengthOf(new Set(numbers), numbers.length)
  yield* client.send({ id: "last", method: "call", params: { fate: "answer" } })
  assert.deepStrictEqual(client.answersTo("last")[0]?.result, { of: "last" })
})

describe("a relay in front of HTTP+SSE, whatever happens in whatever order", () => {
  it("answers each request once, carries no call out twice, and is there again at the end", async () => {
    const report = await playSteps(step, 14, check)
    assert.isFalse(report.failed, fc.defaultReportMessage(report))
  })
})
