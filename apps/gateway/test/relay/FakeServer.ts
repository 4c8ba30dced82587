import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import type * as Duration from "effect/Duration"
import { PassThrough } from "node:stream"
import { readText } from "../../../../packages/gateway-server/src/fetch/AnswerBody.ts"
import {
  type Fetch,
  type FetchNow,
  type FetchRequest,
  type FetchResponse,
  UpstreamFailed
} from "../../../../packages/gateway-server/src/fetch/Fetch.ts"
import { makeHttpSession } from "../../../../packages/gateway-server/src/relay/session/HttpSession.ts"
import type {
  Deliver,
  ServerSession
} from "../../../../packages/gateway-server/src/relay/session/ServerSession.ts"
import { relay } from "../../../../packages/gateway-server/src/relay/StdioRelay.ts"
import type * as Scope from "effect/Scope"
import type { Message } from "../bridge/httpCall.ts"

/** A request that reached the server. */
export interface Seen extends FetchRequest {
  readonly message: Message
}

/** A body that is written while it is read. */
export class FakeBody implements AsyncIterable<Uint8Array> {
  readonly #chunks: Array<Uint8Array> = []
  #end: "no" | "ended" | "broken" = "no"
  #wake: () => void = () => {}
  /** Whether its reader has gone away before the end. */
  isCancelled = false

  get isOpen(): boolean {
    return this.#end === "no" && !this.isCancelled
  }

  write(text: string | Uint8Array): this {
    this.#chunks.push(Buffer.from(text))
    this.#wake()
    return this
  }

  end(): this {
    this.#end = "ended"
    this.#wake()
    return this
  }

  break(): this {
    this.#end = "broken"
    this.#wake()
    return this
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    const next = async (): Promise<IteratorResult<Uint8Array>> => {
      for (;;) {
        const chunk = this.#chunks.shift()
        if (chunk !== undefined) return { done: false, value: chunk }
        if (this.#end === "broken") throw new Error("the connection was reset")
        if (this.#end === "ended" || this.isCancelled) return { done: true, value: undefined }
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    }
    const cancel = async (): Promise<IteratorResult<Uint8Array>> => {
      this.isCancelled = true
      this.#wake()
      return { done: true, value: undefined }
    }
    return { next, return: cancel }
  }
}

const respond = (status: number, headers: Record<string, string>, body: FakeBody): FetchResponse => ({
  status,
  url: "http://server.test/mcp",
  headers: new Headers(headers),
  body
})

/** An answer with a JSON body. */
export const json = (value: unknown, status = 200, headers: Record<string, string> = {}): FetchResponse =>
  respond(
    status,
    { "content-type": "application/json", ...headers },
    new FakeBody().write(typeof value === "string" ? value : JSON.stringify(value)).end()
  )

/** An answer without a body. */
export const empty = (status: number, headers: Record<string, string> = {}): FetchResponse =>
  respond(status, headers, new FakeBody().end())

/** A stream of events. */
export const events = (body: FakeBody): FetchResponse =>
  respond(200, { "content-type": "text/event-stream" }, body)

/** An event with a message. */
export const event = (message: object, id?: string): string =>
  `${id === undefined ? "" : `id: ${id}\n`}data: ${JSON.stringify({ jsonrpc: "2.0", ...message })}\n\n`

export const result = (id: unknown, value: object = {}) => ({ jsonrpc: "2.0", id, result: value })

/** A connection that is refused. */
export const refusedConnection = new UpstreamFailed({ kind: "NotSent", problem: "connection refused" })

/** A connection that breaks before there is an answer. */
export const brokenConnection = new UpstreamFailed({ kind: "Broken", problem: "the connection was reset" })

/** How a server answers: at once, never, or with an effect. */
export type Handler = (
  seen: Seen
) => FetchResponse | UpstreamFailed | Effect.Effect<FetchResponse, UpstreamFailed>

/** A server in memory, and what reached it. Its requests are sent without a fiber where that can be, as those over HTTP are. */
export const makeFakeServer = (handler: Handler) => {
  const requests: Array<Seen> = []
  const ask = (request: FetchRequest): FetchResponse | Effect.Effect<FetchResponse, UpstreamFailed> => {
    const seen = { ...request, message: request.body === undefined ? {} : JSON.parse(request.body) }
    requests.push(seen)
    const answer = handler(seen)
    return answer instanceof UpstreamFailed ? Effect.fail(answer) : answer
  }
  const asEffect = (answer: ReturnType<typeof ask>) =>
    Effect.isEffect(answer) ? answer : Effect.succeed(answer)
  const withFibers: Fetch = (request) => Effect.suspend(() => asEffect(ask(request)))
  const now: FetchNow = (request, onAnswer) => {
    const answer = ask(request)
    let isAborted = false
    const give = (given: Parameters<typeof onAnswer>[0]) => {
      if (!isAborted) onAnswer(given)
    }
    if (Effect.isEffect(answer) || !isShortJson(answer)) queueMicrotask(() => give(asEffect(answer)))
    else
      Effect.runCallback(readText(answer, 64 * 1024), {
        onExit: Exit.match({
          onFailure: () => give(Effect.succeed({ ...answer, body: new FakeBody().break() })),
          onSuccess: (text) => give({ text, response: { ...answer, body: new FakeBody().write(text).end() } })
        })
      })
    return { abort: () => void (isAborted = true) }
  }
  const fetch: Fetch = Object.assign((request: FetchRequest) => withFibers(request), { now })
  const count = (method: string) =>
    requests.filter((seen) => seen.message.method === method || (seen.method === method && method !== "POST"))
      .length
  return { fetch, withFibers, requests, count }
}

const isShortJson = ({ headers, status }: FetchResponse) =>
  status === 200 && headers.get("content-type") === "application/json"

export const limits = { messageBytes: 10_000, unreadMessages: 20, unreadBytes: 50_000 }

/** A relay in front of a server, and the client's end of it. */
export const startRelay = Effect.fnUntraced(function* (
  fetch: Fetch,
  connect: (deliver: Deliver) => Effect.Effect<ServerSession, never, Scope.Scope> = (deliver) =>
    makeHttpSession({ fetch, deliver, messageBytes: limits.messageBytes }),
  messageBytes: number = limits.messageBytes
) {
  const input = new PassThrough()
  const output = new PassThrough()
  let written = ""
  output.on("data", (chunk) => {
    written += String(chunk)
  })
  const running = yield* Effect.forkScoped(
    Effect.scoped(relay({ input, output, connect, limits: { ...limits, messageBytes } }))
  )
  const lines = () => written.split("\n").filter((line) => line !== "")
  const messages = (): Array<Message> => lines().map((line) => JSON.parse(line))
  return {
    running,
    input,
    output,
    lines,
    messages,
    /** The messages that answer a request. */
    answersTo: (id: unknown) =>
      messages().filter((message) => message.id === id && message.method === undefined),
    send: (message: object | string) =>
      Effect.andThen(
        Effect.sync(() =>
          input.write(
            `${typeof message === "string" ? message : JSON.stringify({ jsonrpc: "2.0", ...message })}\n`
          )
        ),
        settle
      ),
    stop: Fiber.interrupt(running)
  }
})

/** Lets everything happen that needs no time. */
export const settle = Effect.promise(async () => {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve))
})

/** Lets time pass, step by step, as pauses follow each other. */
export const pass = Effect.fnUntraced(function* (duration: Duration.Input, steps = 1) {
  for (let step = 0; step < steps; step++) {
    yield* settle
    yield* TestClock.adjust(duration)
    yield* settle
  }
})

export const initialize = {
  id: 0,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } }
}

export const initializeResult = (protocolVersion = "2025-11-25") => ({
  protocolVersion,
  capabilities: {},
  serverInfo: { name: "server", version: "1" }
})

/** A server with sessions that can forget them. What it does not do itself is up to `handle`. */
export const makeStatefulServer = (options: {
  readonly unknown?: () => FetchResponse
  readonly handle?: (seen: Seen) => ReturnType<Handler> | undefined
  readonly get?: (seen: Seen, session: string) => ReturnType<Handler>
  readonly initialize?: (seen: Seen, count: number) => ReturnType<Handler> | undefined
}) => {
  const live = new Set<string>()
  let count = 0
  const server = makeFakeServer((seen) => {
    const session = seen.headers["mcp-session-id"] ?? ""
    if (seen.method === "POST" && seen.message.method === "initialize") {
      const other = options.initialize?.(seen, count + 1)
      if (other !== undefined) return other
      count += 1
      live.add(`s${count}`)
      return json(result(seen.message.id, initializeResult()), 200, { "mcp-session-id": `s${count}` })
    }
    if (!live.has(session)) return options.unknown?.() ?? empty(404)
    if (seen.method === "DELETE") {
      live.delete(session)
      return empty(200)
    }
    if (seen.method === "GET") return options.get?.(seen, session) ?? empty(405)
    const answer = options.handle?.(seen)
    if (answer !== undefined) return answer
    return seen.message.id === undefined ? empty(202) : json(result(seen.message.id, { session }))
  })
  return { ...server, live, forget: () => live.clear() }
}

/** A client that has begun its session. */
export const begin = Effect.fnUntraced(function* (client: {
  readonly send: (message: object) => Effect.Effect<void>
}) {
  yield* client.send(initialize)
  yield* client.send({ method: "notifications/initialized" })
})
