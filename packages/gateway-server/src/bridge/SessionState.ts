import {
  idTextAt,
  isResponse,
  requestIdOf,
  withIdAt,
  type JsonRpcMessage,
  type IdText
} from "../jsonrpc/JsonRpc.ts"
import { entryById, matchingId } from "../jsonrpc/MatchingIds.ts"
import type { HttpExchange } from "./HttpExchange.ts"
import type { Limits } from "@secure-mcp/transport-injection"

/** A request of the client that the server has not answered yet. */
export interface PendingRequest {
  readonly id: IdText
  readonly method: unknown
  readonly progressToken: IdText | undefined
  readonly exchange: HttpExchange
}

/** What a session knows of its client. */
export interface SessionState {
  /** Established: the client got a result, that of `initialize` above all. Ended: the server answers no more. */
  readonly phase: "Initializing" | "Established" | "Ended"
  /** Whether the connection is being replaced. No request is sent meanwhile. */
  readonly isRenewing: boolean
  /** Oldest first. */
  readonly pending: ReadonlyMap<IdText, PendingRequest>
  /** The latest requests that were cancelled. The server may answer them all the same. */
  readonly cancelled: ReadonlySet<IdText>
  /** The latest requests of the server that the client has not answered yet. */
  readonly asked: ReadonlySet<IdText>
  /** The latest requests of earlier connections that the client has not answered. Nobody waits for the answers any more. */
  readonly outdated: ReadonlySet<IdText>
  /** The client's GET stream. */
  readonly stream: HttpExchange | undefined
  /** Messages that belong to no request, until there is a stream for them. */
  readonly queued: ReadonlyArray<string>
  readonly queuedBytes: number
}

/** The state of a session that has just begun. */
export const initialState: SessionState = {
  phase: "Initializing",
  isRenewing: false,
  pending: new Map(),
  cancelled: new Set(),
  asked: new Set(),
  outdated: new Set(),
  stream: undefined,
  queued: [],
  queuedBytes: 0
}

/** What to do with a message of the server. */
export type Delivery =
  | { readonly _tag: "Answer"; readonly exchange: HttpExchange; readonly text: string }
  | { readonly _tag: "Notify"; readonly exchange: HttpExchange; readonly text: string }
  | { readonly _tag: "Queue" }
  /** Answers a request that was cancelled. */
  | { readonly _tag: "DropLateAnswer" }
  /** Answers a request that nobody sent. */
  | { readonly _tag: "DropUnexpected"; readonly text: string }
  /** The queue is full. */
  | { readonly _tag: "DropMessage"; readonly requestId: IdText | undefined }

type Transition<A> = (state: SessionState) => readonly [A, SessionState]

/** How many ids of each kind are remembered, and how long one may be. */
const maxRemembered = 1024
const maxIdLength = 1024

/**
 * Decides where a message of the server goes. A pipe does not say which request a message belongs to: a progress
 * notification goes where its token says; everything else to the client's GET stream, else to the latest request, else
 * it waits for a GET stream.
 */
export const route =
  (message: JsonRpcMessage, limits: Limits): Transition<Delivery> =>
  (state) => {
    if (isResponse(message.json)) return routeResponse(message, state)
    const requestId = requestIdOf(message)
    const target = targetOf(message, state)
    if (target !== undefined) return [{ _tag: "Notify", ...target }, rememberAsked(requestId, state)]
    const queuedBytes = state.queuedBytes + Buffer.byteLength(message.text)
    return state.queued.length < limits.queuedMessages && state.queuedBytes < limits.unreadBytes
      ? [
          { _tag: "Queue" },
          rememberAsked(requestId, { ...state, queued: [...state.queued, message.text], queuedBytes })
        ]
      : [{ _tag: "DropMessage", requestId }, state]
  }

const routeResponse = (message: JsonRpcMessage, state: SessionState): readonly [Delivery, SessionState] => {
  const { json, text } = message
  const answeredId = idTextAt(message)
  const request = findPending(answeredId, state)
  if (request === undefined)
    return answeredId !== undefined && matchingId(state.cancelled, answeredId) !== undefined
      ? [{ _tag: "DropLateAnswer" }, state]
      : [{ _tag: "DropUnexpected", text }, state]
  const answered = withoutPending([request], state)
  if (!request.exchange.isOpen()) return [{ _tag: "DropLateAnswer" }, answered]
  const establishes = state.phase === "Initializing" && "result" in json
  return [
    {
      _tag: "Answer",
      exchange: request.exchange,
      text: answeredId === request.id ? text : withIdAt(message, request.id)
    },
    establishes ? { ...answered, phase: "Established" } : answered
  ]
}

const findPending = (id: IdText | undefined, { pending }: SessionState): PendingRequest | undefined =>
  entryById(pending, id)?.[1]

interface Target {
  readonly exchange: HttpExchange
  readonly text: string
}

const targetOf = (message: JsonRpcMessage, { pending, stream }: SessionState): Target | undefined => {
  const { text } = message
  const open = [...pending.values()].filter(({ exchange }) => exchange.isOpen())
  const token =
    message.json["method"] === "notifications/progress" ? idTextAt(message, progressToken) : undefined
  const tokens = open.flatMap(({ progressToken }) => (progressToken === undefined ? [] : [progressToken]))
  const own = token === undefined ? undefined : matchingId(tokens, token)
  const requester = own === undefined ? undefined : open.find(({ progressToken }) => progressToken === own)
  if (own !== undefined && requester !== undefined)
    return { exchange: requester.exchange, text: withIdAt(message, own, progressToken) }
  const exchange = stream?.isOpen() === true ? stream : open.at(-1)?.exchange
  return exchange === undefined ? undefined : { exchange, text }
}

const progressToken = ["params", "progressToken"]

/** What became of requests that were to be added. */
export type Addition =
  /** All but those whose id is in use. */
  | { readonly _tag: "Added"; readonly refused: ReadonlySet<JsonRpcMessage> }
  /** None was: the connection has to be renewed first. */
  | { readonly _tag: "Wait" }

/** Adds the requests of one POST. */
export const addRequests =
  (
    requests: ReadonlyArray<{ readonly id: IdText; readonly message: JsonRpcMessage }>,
    exchange: HttpExchange
  ): Transition<Addition> =>
  (state) => {
    if (state.isRenewing) return [{ _tag: "Wait" }, state]
    const pending = new Map(state.pending)
    const refused = new Set<JsonRpcMessage>()
    for (const { id, message } of requests) {
      if (pending.has(id)) {
        refused.add(message)
        continue
      }
      const progressToken = idTextAt(message, ["params", "_meta", "progressToken"])
      pending.set(id, { id, method: message.json["method"], progressToken, exchange })
    }
    const cancelled = requests.reduce((ids, { id }) => without(ids, id), state.cancelled)
    return [
      { _tag: "Added", refused },
      { ...state, pending, cancelled }
    ]
  }

/** Removes the request that a cancellation of the client names, and gives it. */
export const cancelRequest =
  (cancellation: JsonRpcMessage): Transition<PendingRequest | undefined> =>
  (state) => {
    const request = findPending(idTextAt(cancellation, ["params", "requestId"]), state)
    return request === undefined ? [undefined, state] : [request, abandon([request], state)]
  }

/** Removes the requests of an exchange that is closed, and gives them: their answers have nowhere to go. */
export const abandonExchange =
  (exchange: HttpExchange): Transition<ReadonlyArray<PendingRequest>> =>
  (state) => {
    const requests = [...state.pending.values()].filter((request) => request.exchange === exchange)
    return [requests, abandon(requests, state)]
  }

/** Sets the client's GET stream. Gives the one it replaces, and the messages that waited for it. */
export const openStream =
  (
    stream: HttpExchange
  ): Transition<{
    readonly replaced: HttpExchange | undefined
    readonly queued: ReadonlyArray<string>
  }> =>
  (state) => [
    { replaced: state.stream, queued: state.queued },
    { ...state, stream, queued: [], queuedBytes: 0 }
  ]

/** Takes an answer of the client. False if the connection that asked is gone: another one must not get it. */
export const takeAnswer =
  (answer: JsonRpcMessage): Transition<boolean> =>
  (state) => {
    const id = idTextAt(answer)
    const asked = id === undefined ? undefined : matchingId(state.asked, id)
    if (asked !== undefined) return [true, { ...state, asked: without(state.asked, asked) }]
    const outdated = id === undefined ? undefined : matchingId(state.outdated, id)
    return outdated === undefined
      ? [true, state]
      : [false, { ...state, outdated: without(state.outdated, outdated) }]
  }

/** Begins to replace the connection if no request is under way. Gives the requests of the server that end with it. */
export const beginRenewal: Transition<ReadonlySet<IdText> | undefined> = (state) =>
  state.pending.size > 0 || state.phase === "Ended"
    ? [undefined, state]
    : [
        state.asked,
        {
          ...state,
          isRenewing: true,
          asked: new Set(),
          outdated: latest([...state.outdated, ...state.asked])
        }
      ]

/** The connection has been replaced. */
export const endRenewal = (state: SessionState): SessionState => ({ ...state, isRenewing: false })

/** Ends the session. Gives the requests that get no answer any more. */
export const endSession: Transition<ReadonlyArray<PendingRequest>> = (state) => [
  [...state.pending.values()],
  { ...state, phase: "Ended", pending: new Map(), queued: [], queuedBytes: 0 }
]

const withoutPending = (requests: ReadonlyArray<PendingRequest>, state: SessionState): SessionState => {
  const pending = new Map(state.pending)
  for (const { id } of requests) pending.delete(id)
  return { ...state, pending }
}

const abandon = (requests: ReadonlyArray<PendingRequest>, state: SessionState): SessionState => ({
  ...withoutPending(requests, state),
  cancelled: latest([...state.cancelled, ...requests.map(({ id }) => id)])
})

const rememberAsked = (id: IdText | undefined, state: SessionState): SessionState =>
  id === undefined
    ? state
    : { ...state, asked: latest([...state.asked, id]), outdated: without(state.outdated, id) }

const without = (ids: ReadonlySet<IdText>, id: IdText): ReadonlySet<IdText> =>
  ids.has(id) ? new Set([...ids].filter((other) => other !== id)) : ids

const latest = (ids: ReadonlyArray<IdText>): ReadonlySet<IdText> =>
  new Set(ids.filter((id) => id.length <= maxIdLength).slice(-maxRemembered))
