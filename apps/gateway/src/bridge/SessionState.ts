import { idTextAt, isResponse, matchingId, type JsonRpcMessage, type IdText } from "../jsonrpc/JsonRpc.ts"
import { replaceAt } from "../jsonrpc/JsonText.ts"
import type { HttpExchange } from "./HttpExchange.ts"

/** A request of the client that the child has not answered yet. */
export interface PendingRequest {
  readonly id: IdText
  readonly progressToken: IdText | undefined
  readonly exchange: HttpExchange
}

/** What a session knows of its client. */
export interface SessionState {
  /** Established: the client got a result, that of `initialize` above all. Ended: the child answers no more. */
  readonly phase: "Initializing" | "Established" | "Ended"
  /** Oldest first. */
  readonly pending: ReadonlyMap<IdText, PendingRequest>
  /** The client's GET stream. */
  readonly stream: HttpExchange | undefined
  /** Messages that belong to no request, until there is a stream for them. */
  readonly queued: ReadonlyArray<string>
}

/** The state of a session that has just begun. */
export const initialState: SessionState = {
  phase: "Initializing",
  pending: new Map(),
  stream: undefined,
  queued: []
}

/** What to do with a message of the child. */
export type Delivery =
  | { readonly _tag: "Answer"; readonly exchange: HttpExchange; readonly text: string }
  | { readonly _tag: "Notify"; readonly exchange: HttpExchange; readonly text: string }
  | { readonly _tag: "Queue" }
  /** Answers a request that the client does not wait for. */
  | { readonly _tag: "DropAnswer" }
  /** The queue is full. */
  | { readonly _tag: "DropMessage" }

/** How many messages wait for a stream to be opened. */
const maxQueued = 256

/**
 * Decides where a message of the child goes. A pipe does not say which request a message belongs to: a progress
 * notification goes where its token says; everything else to the client's GET stream, else to the latest request, else
 * it waits for a GET stream.
 */
export const route =
  (message: JsonRpcMessage) =>
  (state: SessionState): readonly [Delivery, SessionState] => {
    const { json, text } = message
    if (isResponse(json)) return routeResponse(message, state)
    const exchange = exchangeFor(message, state)
    if (exchange !== undefined) return [{ _tag: "Notify", exchange, text }, state]
    return state.queued.length < maxQueued
      ? [{ _tag: "Queue" }, { ...state, queued: [...state.queued, text] }]
      : [{ _tag: "DropMessage" }, state]
  }

const routeResponse = (message: JsonRpcMessage, state: SessionState): readonly [Delivery, SessionState] => {
  const { json, text } = message
  const answeredId = idTextAt(message)
  const id = answeredId === undefined ? undefined : matchingId(state.pending.keys(), answeredId)
  const request = id === undefined ? undefined : state.pending.get(id)
  const answered = { ...state, pending: without(state.pending, ([other]) => other === id) }
  if (request?.exchange.isOpen() !== true) return [{ _tag: "DropAnswer" }, answered]
  const establishes = state.phase === "Initializing" && "result" in json
  return [
    {
      _tag: "Answer",
      exchange: request.exchange,
      text: request.id === answeredId ? text : replaceAt(text, ["id"], request.id)
    },
    establishes ? { ...answered, phase: "Established" } : answered
  ]
}

const exchangeFor = (
  message: JsonRpcMessage,
  { pending, stream }: SessionState
): HttpExchange | undefined => {
  const open = [...pending.values()].filter(({ exchange }) => exchange.isOpen())
  const isProgress = message.json["method"] === "notifications/progress"
  const token = isProgress ? idTextAt(message, ["params", "progressToken"]) : undefined
  const requester =
    token === undefined ? undefined : open.find(({ progressToken }) => progressToken === token)
  if (requester !== undefined) return requester.exchange
  return stream?.isOpen() === true ? stream : open.at(-1)?.exchange
}

/** Adds a request; false if its id is in use. */
export const addRequest =
  (message: JsonRpcMessage, id: IdText, exchange: HttpExchange) =>
  (state: SessionState): readonly [boolean, SessionState] => {
    if (state.pending.has(id)) return [false, state]
    const progressToken = idTextAt(message, ["params", "_meta", "progressToken"])
    const added = { id, progressToken, exchange }
    return [true, { ...state, pending: new Map([...state.pending, [id, added]]) }]
  }

/** Forgets the requests of an exchange: once it is closed, their answers have nowhere to go. */
export const forgetExchange =
  (exchange: HttpExchange) =>
  (state: SessionState): SessionState => ({
    ...state,
    pending: without(state.pending, ([, request]) => request.exchange === exchange)
  })

/** Sets the client's GET stream. Gives the one it replaces, and the messages that waited for it. */
export const openStream =
  (stream: HttpExchange) =>
  (
    state: SessionState
  ): readonly [
    { readonly replaced: HttpExchange | undefined; readonly queued: ReadonlyArray<string> },
    SessionState
  ] => [
    { replaced: state.stream, queued: state.queued },
    { ...state, stream, queued: [] }
  ]

/** Ends the session. Gives the requests that get no answer any more. */
export const endSession = (state: SessionState): readonly [ReadonlyArray<PendingRequest>, SessionState] => [
  [...state.pending.values()],
  { ...state, phase: "Ended", pending: new Map() }
]

const without = (
  pending: SessionState["pending"],
  matches: (entry: readonly [IdText, PendingRequest]) => boolean
): SessionState["pending"] => new Map([...pending].filter((entry) => !matches(entry)))
