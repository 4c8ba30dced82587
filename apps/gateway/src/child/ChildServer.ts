import type * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as ChildProcess from "effect/process/ChildProcess"
import type { ChildProcessHandle, ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { childEnvironment, makeRedactor, type ChildCommand } from "./ChildCommand.ts"
import { parseJsonRpc, type JsonRpcMessage } from "../jsonrpc/JsonRpc.ts"
import { boundedLines } from "../jsonrpc/Lines.ts"
import { ConnectionFailed, type MessageConnection } from "../jsonrpc/MessageConnection.ts"

/** The most UTF-16 units of a message. A child that writes a longer one is stopped. */
const maxMessageLength = 64 * 1024 * 1024
const maxLogLineLength = 64 * 1024
const shutdownGrace = "2 seconds"

/**
 * Starts a stdio server: a child process that reads and writes JSON-RPC messages, one a line (MCP 2026-07-28 and earlier,
 * stdio). Its token is in its environment, never among the arguments; a running process cannot be given another one.
 *
 * To stop it, standard input is closed; after two seconds the process group gets SIGTERM, after two more SIGKILL.
 *
 * @param onMessage gets one message after the other, in order
 */
export const startChildServer = Effect.fnUntraced(function* (
  serverName: string,
  command: ChildCommand,
  onMessage: (message: JsonRpcMessage) => Effect.Effect<void>
): Effect.fn.Return<MessageConnection, ConnectionFailed, Scope.Scope | ChildProcessSpawner> {
  const redact = makeRedactor(command)
  const handle = yield* ChildProcess.make(command.command, command.args, {
    env: childEnvironment(command),
    cwd: command.cwd,
    forceKillAfter: shutdownGrace
  }).pipe(
    Effect.mapError(
      ({ reason }) =>
        new ConnectionFailed({
          serverName,
          problem: `The command of MCP server "${serverName}" could not be started: ${reason._tag}`
        })
    )
  )
  const input = yield* Queue.bounded<string, Cause.Done>(64)
  const ended = yield* Deferred.make<string>()

  yield* Effect.forkScoped(writeMessages(handle, input))
  yield* Effect.forkScoped(logErrorOutput(handle, redact))
  yield* Effect.forkScoped(
    readMessages(handle, redact, onMessage).pipe(
      Effect.ensuring(Queue.shutdown(input)),
      Effect.ensuring(Deferred.succeed(ended, "has ended"))
    )
  )
  const stop = Effect.gen(function* () {
    yield* Queue.end(input)
    const exit = yield* Effect.timeoutOption(Effect.exit(handle.exitCode), shutdownGrace)
    if (Option.isNone(exit)) yield* Effect.ignore(handle.kill({ forceKillAfter: shutdownGrace }))
  })
  yield* Effect.addFinalizer(() => stop)
  return {
    send: (text) => Effect.asVoid(Queue.offer(input, text)),
    ended: Deferred.await(ended),
    logUnexpected: (text) =>
      Effect.logWarning("MCP server sent what nobody asked for:", shorten(redact(text))),
    expiresAt: command.expiresAt,
    stop
  }
})

const writeMessages = (handle: ChildProcessHandle, input: Queue.Queue<string, Cause.Done>) =>
  Stream.fromQueue(input).pipe(
    Stream.map((text) => encoder.encode(`${text}\n`)),
    Stream.run(handle.stdin),
    // The child has closed its input. Its end is noticed at its output.
    Effect.ignore,
    Effect.ensuring(Queue.shutdown(input))
  )

const encoder = new TextEncoder()

const readMessages = (
  handle: ChildProcessHandle,
  redact: (text: string) => string,
  onMessage: (message: JsonRpcMessage) => Effect.Effect<void>
) =>
  handle.stdout.pipe(
    boundedLines(maxMessageLength),
    Stream.runForEachWhile((line) => {
      if (line === undefined)
        return Effect.as(Effect.logError("MCP server wrote a message that is too long; stopping it"), false)
      if (line.trim() === "") return Effect.succeed(true)
      const parsed = parseJsonRpc(line)
      if (parsed === undefined)
        return Effect.as(
          Effect.logWarning("MCP server wrote to its output what is no message:", shorten(redact(line))),
          true
        )
      return Effect.as(Effect.forEach(parsed.messages, onMessage, { discard: true }), true)
    }),
    Effect.ignore,
    Effect.raceFirst(outputGivenUp(handle))
  )

/** A process that the child has started may keep the output open after the child has ended. */
const outputGivenUp = (handle: ChildProcessHandle) =>
  Effect.andThen(Effect.exit(handle.exitCode), Effect.sleep("1 second"))

const logErrorOutput = (handle: ChildProcessHandle, redact: (text: string) => string) =>
  handle.stderr.pipe(
    boundedLines(maxLogLineLength),
    Stream.runForEach((line) =>
      line === undefined
        ? Effect.logWarning("MCP server wrote a line to its error output that is too long for the log")
        : Effect.logInfo(redact(line))
    ),
    Effect.ignore
  )

const shorten = (text: string) => (text.length > 200 ? `${text.slice(0, 200)}...` : text)
