import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** A message as a test looks at it. */
export interface Message {
  readonly id?: unknown
  readonly method?: string
  readonly params?: Readonly<Record<string, unknown>>
  readonly result?: Readonly<Record<string, unknown>>
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown }
}

/** A response that is being read. */
export interface HttpCall {
  readonly status: number
  readonly headers: Headers
  readonly isEventStream: boolean
  /** The next message; undefined at the end. */
  readonly next: Effect.Effect<Message | undefined>
  /** The whole body, instead of its messages. */
  readonly text: Effect.Effect<string>
  /** All messages up to the end. */
  readonly rest: Effect.Effect<ReadonlyArray<Message>>
  /** Closes the connection. */
  readonly abort: Effect.Effect<void>
}

interface CallOptions {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: unknown
}

/** Sends one HTTP request. A body that is no string is sent as JSON. The connection is closed with the scope. */
export const call = Effect.fnUntraced(function* (
  url: URL,
  { body, headers = {}, method = "POST" }: CallOptions
): Effect.fn.Return<HttpCall, never, Scope.Scope> {
  const controller = yield* Effect.acquireRelease(
    Effect.sync(() => new AbortController()),
    (controller) => Effect.sync(() => controller.abort())
  )
  const response = yield* Effect.promise(() =>
    fetch(url, {
      method,
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        ...headers
      },
      signal: controller.signal,
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) })
    })
  )
  const messages = readMessages(response)
  const next = Effect.promise(async () => (await messages.next()).value ?? undefined)
  return {
    status: response.status,
    headers: response.headers,
    isEventStream: response.headers.get("content-type") === "text/event-stream",
    next,
    text: Effect.promise(() => response.text()),
    rest: Effect.promise(async () => {
      const all: Array<Message> = []
      for await (const message of messages) all.push(message)
      return all
    }),
    abort: Effect.sync(() => controller.abort())
  }
})

async function* readMessages(response: Response): AsyncGenerator<Message, undefined> {
  if (response.headers.get("content-type") !== "text/event-stream") {
    const text = await response.text()
    const value: Message | ReadonlyArray<Message> = text === "" ? [] : JSON.parse(text)
    yield* Array.isArray(value) ? value : [value]
    return undefined
  }
  let unread = ""
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    unread += chunk
    for (let end = unread.indexOf("\n\n"); end !== -1; end = unread.indexOf("\n\n")) {
      const data = /^data: (.*)$/m.exec(unread.slice(0, end))?.[1]
      unread = unread.slice(end + 2)
      if (data !== undefined) yield JSON.parse(data)
    }
  }
  return undefined
}

/** A request of the stateless revision, and the headers that go with it. */
export const statelessRequest = (
  id: unknown,
  method: string,
  params: Readonly<Record<string, unknown>> = {},
  meta: Readonly<Record<string, unknown>> = {},
  version = "2026-07-28"
) => ({
  headers: { "mcp-protocol-version": version, "mcp-method": method },
  jsonrpc: "2.0",
  id,
  method,
  params: {
    ...params,
    _meta: {
      "io.modelcontextprotocol/protocolVersion": version,
      "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" },
      "io.modelcontextprotocol/clientCapabilities": {},
      ...meta
    }
  }
})

/** Sends a request of the stateless revision. */
export const statelessCall = (
  url: URL,
  id: unknown,
  method: string,
  params: Readonly<Record<string, unknown>> = {},
  meta: Readonly<Record<string, unknown>> = {},
  headers: Record<string, string> = {}
) => {
  const { headers: mirrored, ...body } = statelessRequest(id, method, params, meta)
  return call(url, { headers: { ...mirrored, ...headers }, body })
}

/** Initializes a session by hand and gives the headers of its further requests. */
export const openSession = Effect.fnUntraced(function* (url: URL, headers: Record<string, string> = {}) {
  const params = {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "test", version: "1" }
  }
  const initialized = yield* call(url, {
    headers,
    body: { jsonrpc: "2.0", id: 0, method: "initialize", params }
  })
  const [answer] = yield* initialized.rest
  return {
    status: initialized.status,
    answer,
    headers: { ...headers, "mcp-session-id": initialized.headers.get("mcp-session-id") ?? "" }
  }
})
