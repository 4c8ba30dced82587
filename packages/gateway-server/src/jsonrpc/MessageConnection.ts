import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { JsonRpcMessage } from "./JsonRpc.ts"

/** An open connection to an MCP server that carries whole messages in both directions. */
export interface MessageConnection {
  /** Sends one message. Waits while the server does not read; does nothing once the connection has ended. */
  readonly send: (text: string) => Effect.Effect<void>
  /** The same without a fiber; false if nothing was sent, because others wait, or the connection cannot. */
  readonly sendNow?: (text: string) => boolean
  /**
   * Completes when everything the server sent has been delivered and nothing more can come, with how the connection
   * ended, for people (`exited with code 1`). It names no secret.
   */
  readonly ended: Effect.Effect<string>
  /** Writes to the log, without secrets, a message that is an answer to nothing or has no place in the conversation. */
  readonly logUnexpected: (text: string) => Effect.Effect<void>
  /** Ends the connection, and completes when it has ended. */
  readonly stop: Effect.Effect<void>
  /** When its token expires, in milliseconds since the epoch; undefined if that is not known. */
  readonly expiresAt: number | undefined
}

/** A connection could not be opened. */
export class ConnectionFailed extends Schema.TaggedError<ConnectionFailed>()("ConnectionFailed", {
  serverName: Schema.String,
  /** What happened and what to do about it, as whole sentences without a secret. */
  problem: Schema.String
}) {
  override get message(): string {
    return this.problem
  }
}

/** Takes one message of a server after the other, in order. */
export interface OnMessage {
  (message: JsonRpcMessage): Effect.Effect<void>
  /** The same without a fiber; false if the message was not taken, because something has to be waited for. */
  readonly now?: (message: JsonRpcMessage) => boolean
}

/** Opens a connection, which is stopped with the scope. */
export type Connect<E> = (
  onMessage: OnMessage
) => Effect.Effect<MessageConnection, E | ConnectionFailed, Scope.Scope>
