import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { parseJsonRpc, type JsonObject } from "../../../../packages/gateway-server/src/jsonrpc/JsonRpc.ts"
import type { Connect } from "../../../../packages/gateway-server/src/jsonrpc/MessageConnection.ts"

/** The server's end of one connection in memory. */
export interface Peer {
  /** What it was sent. */
  readonly received: Array<JsonObject & { readonly text: string }>
  /** Sends a message: a text as it is, anything else as JSON-RPC 2.0. */
  readonly send: (message: string | object) => void
  /** Ends the connection. */
  readonly end: (how: string) => void
  /** What it was logged to have sent without being asked. */
  readonly unexpected: Array<string>
  /** Whether it was stopped. */
  readonly isStopped: () => boolean
}

/** How a server in memory behaves. */
export interface MemoryServerOptions {
  /** What the server does with a message. Without an answer of its own it gives an empty result to `initialize` and `ping`. */
  readonly onMessage?: (message: JsonObject & { readonly text: string }, peer: Peer) => void
  /** For how many milliseconds the token of a connection is valid. */
  readonly tokenLifetime?: number
}

export const initializeResult = {
  protocolVersion: "2025-11-25",
  capabilities: { tools: { listChanged: true }, prompts: {}, resources: { listChanged: true } },
  serverInfo: { name: "memory", version: "1" }
}

/** A server without a process, and the connections to it, oldest first. */
export const memoryServer = ({ onMessage, tokenLifetime }: MemoryServerOptions = {}) => {
  const peers: Array<Peer> = []
  const connect: Connect<never> = Effect.fnUntraced(function* (deliver) {
    const output = yield* Queue.unbounded<string>()
    const ended = yield* Deferred.make<string>()
    let isStopped = false
    const peer: Peer = {
      received: [],
      unexpected: [],
      send: (message) =>
        Queue.offerUnsafe(
          output,
          typeof message === "string" ? message : JSON.stringify({ jsonrpc: "2.0", ...message })
        ),
      end: (how) => Queue.offerUnsafe(output, `!${how}`),
      isStopped: () => isStopped
    }
    peers.push(peer)
    const now = yield* Clock.currentTimeMillis
    const stop = Effect.suspend(() => {
      isStopped = true
      return Effect.asVoid(Deferred.succeed(ended, "was stopped"))
    })
    yield* Effect.addFinalizer(() => stop)
    const take: typeof deliver = (message) =>
      Effect.suspend(() => (deliver.now?.(message) === true ? Effect.void : deliver(message)))
    const receive = (text: string) => {
      const json = parseJsonRpc(text)?.messages[0]?.json ?? {}
      const message = { ...json, text }
      peer.received.push(message)
      if (onMessage !== undefined) return onMessage(message, peer)
      answerByDefault(message, peer)
    }
    yield* Queue.take(output).pipe(
      Effect.flatMap((text) =>
        text.startsWith("!")
          ? Effect.asVoid(Deferred.succeed(ended, text.slice(1)))
          : Effect.forEach(parseJsonRpc(text)?.messages ?? [], take, { discard: true })
      ),
      Effect.repeat({ while: () => !Deferred.isDoneUnsafe(ended) }),
      Effect.forkScoped
    )
    return {
      send: (text) => Effect.sync(() => receive(text)),
      sendNow: (text) => {
        receive(text)
        return true
      },
      ended: Deferred.await(ended),
      logUnexpected: (text) => Effect.sync(() => void peer.unexpected.push(text)),
      stop,
      expiresAt: tokenLifetime === undefined ? undefined : now + tokenLifetime
    }
  })
  return { connect, peers }
}

/** Answers `initialize` and `ping`, and nothing else. */
export const answerByDefault = ({ id, method }: JsonObject, peer: Peer): void => {
  if (method === "initialize") peer.send({ id, result: initializeResult })
  if (method === "ping") peer.send({ id, result: {} })
}
