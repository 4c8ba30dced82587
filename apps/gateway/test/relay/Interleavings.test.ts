import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import {
  brokenConnection,
  empty,
  event,
  events,
  FakeBody,
  initialize,
  initializeResult,
  json,
  makeFakeServer,
  pass,
  refusedConnection,
  result,
  settle,
  startRelay,
  type Seen
} from "./FakeServer.ts"
import { playSteps } from "./playSteps.ts"

/** How a server answers one call. */
type Fate =
  | "json"
  | "events"
  | "refused"
  | "reset"
  | "unavailable"
  | "wrong"
  | "reset, with ids"
  | "ended, with ids"
  | "reset, without ids"
  | "late"
  | "twice"
  | "over the other stream"

/** One thing that happens. */
type Step =
  | { readonly _tag: "Call"; readonly fate: Fate }
  | { readonly _tag: "Cancel"; readonly which: number }
  | { readonly _tag: "Forget" }
  | { readonly _tag: "Break" }
  | { readonly _tag: "Tell" }
  | { readonly _tag: "Pass"; readonly seconds: number }

const fates: ReadonlyArray<Fate> = [
  "json",
  "events",
  "refused",
  "reset",
  "unavailable",
  "wrong",
  "reset, with ids",
  "ended, with ids",
  "reset, without ids",
  "late",
  "twice",
  "over the other stream"
]

const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: fc.constantFrom(...fates).map((fate): Step => ({ _tag: "Call", fate })), weight: 6 },
  { arbitrary: fc.nat(20).map((which): Step => ({ _tag: "Cancel", which })), weight: 1 },
  { arbitrary: fc.constantFrom<Step>({ _tag: "Forget" }, { _tag: "Break" }), weight: 2 },
  { arbitrary: fc.constant<Step>({ _tag: "Tell" }), weight: 2 },
  {
    arbitrary: fc.integer({ min: 1, max: 5 }).map((seconds): Step => ({ _tag: "Pass", seconds })),
    weight: 2
  }
)

/** More than `settle` waits for, so that the next step comes first. */
const lateTurns = 12

const afterTurns = (turns: number, run: () => void): void => {
  setImmediate(() => (turns === 1 ? run() : afterTurns(turns - 1, run)))
}

/** A server with sessions that keeps its events, and does to each call what a test says. */
const makeServer = () => {
  const live = new Set<string>()
  const listeners = new Map<string, FakeBody>()
  /** Events that a resumption may ask for, by the id of the event before. */
  const kept = new Map<string, string>()
  /** Calls that were carried out, by id. */
  const carriedOut = new Map<unknown, number>()
  let sessions = 0
  let told = 0

  const call = ({ message }: Seen, session: string): ReturnType<typeof json> | typeof brokenConnection => {
    const { id } = message
    const fate = message.params?.["fate"]
    if (fate === "refused") return refusedConnection
    if (fate === "unavailable") return empty(503)
    if (fate === "wrong") return json({ jsonrpc: "2.0", id, error: { code: -32602, message: "wrong" } }, 400)
    carriedOut.set(id, (carriedOut.get(id) ?? 0) + 1)
    const answer = event(result(id, { of: id }), `${String(id)}-answer`)
    const beginning = event({ method: "progress", params: { of: id } }, `${String(id)}-1`)
    // A resumption repeats the event that it goes on after.
    kept.set(`${String(id)}-1`, beginning + answer)
    const body = new FakeBody()
    switch (fate) {
      case "json":
        return json(result(id, { of: id }))
      case "events":
        body.write(beginning + answer).end()
        break
      case "reset":
        return brokenConnection
      case "reset, with ids":
        body.write(beginning).break()
        break
      case "ended, with ids":
        body.write(beginning).end()
        break
      case "reset, without ids":
        body.write(event({ method: "progress", params: { of: id } })).break()
        break
      case "twice":
        body.write(answer + answer).end()
        break
      case "over the other stream":
        if (listeners.get(session)?.isOpen === true) listeners.get(session)?.write(answer)
        else body.write(answer)
        break
      default:
        body.write(beginning)
        afterTurns(lateTurns, () => body.write(answer).end())
    }
    return events(body)
  }

  const server = makeFakeServer((seen) => {
    const session = seen.headers["mcp-session-id"] ?? ""
    const { message, method } = seen
    if (message.method === "initialize") {
      sessions += 1
      live.add(`s${sessions}`)
      return json(result(message.id, initializeResult()), 200, { "mcp-session-id": `s${sessions}` })
    }
    if (!live.has(session)) return sessions % 2 === 0 ? json({ error: "unknown session" }, 400) : empty(404)
    if (method === "DELETE") return empty(200)
    if (method === "GET") {
      const after = seen.headers["last-event-id"]
      if (after !== undefined && !after.startsWith("told")) {
        const answer = kept.get(after)
        return answer === undefined ? empty(404) : events(new FakeBody().write(answer).end())
      }
      const body = new FakeBody()
      if (after !== undefined) body.write(kept.get(after) ?? "")
      listeners.set(session, body)
      return events(body)
    }
    return message.method === "call" ? call(seen, session) : empty(202)
  })
  return {
    ...server,
    carriedOut,
    forget: () => {
      live.clear()
      for (const body of listeners.values()) body.break()
    },
    told: () => told,
    breakListener: () => listeners.get(`s${sessions}`)?.break(),
    /** Sends a message of the server's own, if somebody listens. */
    tell: () => {
      const body = listeners.get(`s${sessions}`)
      if (body?.isOpen !== true) return
      told += 1
      const news = event({ method: "told", params: { number: told } }, `told-${told}`)
      kept.set(`told-${told}`, news)
      body.write(news)
    }
  }
}

/** How requests are sent. */
type Way = "fetch" | "withFibers"

const play = Effect.fnUntraced(function* (way: Way, steps: ReadonlyArray<Step>) {
  const server = makeServer()
  const client = yield* startRelay(server[way])
  yield* client.send(initialize)
  yield* client.send({ method: "notifications/initialized" })
  const calls = new Map<number, Fate>()
  const cancelled = new Set<number>()
  for (const next of steps) {
    switch (next._tag) {
      case "Call":
        calls.set(calls.size + 1, next.fate)
        yield* client.send({ id: calls.size, method: "call", params: { fate: next.fate } })
        break
      case "Cancel":
        if (calls.has(next.which) && client.answersTo(next.which).length === 0) cancelled.add(next.which)
        yield* client.send({ method: "notifications/cancelled", params: { requestId: next.which } })
        break
      case "Forget":
        server.forget()
        break
      case "Break":
        server.breakListener()
        break
      case "Tell":
        server.tell()
        break
      case "Pass":
        yield* pass("1 second", next.seconds)
    }
  }
  yield* settle
  yield* pass("30 seconds", 12)
  return { calls, cancelled, client, server }
})

const check = (way: Way) =>
  Effect.fnUntraced(function* (steps: ReadonlyArray<Step>) {
    const { calls, cancelled, client, server } = yield* play(way, steps)
    for (const [id, fate] of calls) {
      const answers = client.answersTo(id)
      const name = `call ${id} (${fate})`
      if (cancelled.has(id)) assert.isAtMost(answers.length, 1, name)
      else assert.lengthOf(answers, 1, name)
      const [answer] = answers
      if (answer?.result !== undefined) assert.deepStrictEqual(answer.result, { of: id }, name)
      assert.isAtMost(server.carriedOut.get(id) ?? 0, 1, `${name} is carried out`)
      if (fate === "json" || fate === "events" || fate === "twice")
        assert.isTrue(cancelled.has(id) || answer?.result !== undefined, name)
    }
    assert.lengthOf(client.answersTo(0), 1)
    const progress = client
      .messages()
      .flatMap(({ method, params }) => (method === "progress" ? [params?.["of"]] : []))
    assert.lengthOf(new Set(progress), progress.length)
    const told = client.messages().filter(({ method }) => method === "told")
    assert.deepStrictEqual(
      told.map(({ params }) => params?.["number"]),
      Array.from({ length: server.told() }, (_, index) => index + 1)
    )
  })

describe("a relay, whatever happens in whatever order", () => {
  it.each(["fetch", "withFibers"] as const)(
    "a relay that sends with `%s` answers each request once, carries no call out twice, and delivers nothing twice",
    async (way) => {
      const report = await playSteps(step, 16, check(way))
      assert.isFalse(report.failed, fc.defaultReportMessage(report))
    }
  )
})
