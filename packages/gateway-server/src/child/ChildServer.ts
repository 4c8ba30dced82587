import * as NodeStream from "@effect/platform-node/NodeStream"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Readable } from "node:stream"
import { defaultLimits, type Limits } from "@secure-mcp/transport-injection"
import { makeRedactor, type ChildCommand } from "./ChildCommand.ts"
import { describeEnd } from "./ChildEnd.ts"
import { makeChildInput } from "./ChildInput.ts"
import { ChildProcesses, type StartedChild } from "./ChildProcesses.ts"
import { logErrorOutput } from "./ErrorOutput.ts"
import { errorCodes, errorMessages, type JsonRpcMessage, parseOnlyMessage } from "../jsonrpc/JsonRpc.ts"
import { readLines } from "../jsonrpc/LineInput.ts"
import { findIds, type LongMessage, LongMessageReader } from "../jsonrpc/LongMessage.ts"
import type { ConnectionFailed, MessageConnection, OnMessage } from "../jsonrpc/MessageConnection.ts"
import { readMessageLine } from "../jsonrpc/MessageLine.ts"

const shutdownGrace = "2 seconds"
/** How long an output that a process keeps open is waited for after the child has ended. */
const lastOutput = "1 second"

/**
 * Starts a stdio server: a child process that reads and writes JSON-RPC messages, one a line (MCP 2026-07-28 and earlier,
 * stdio). Its token is in its environment, never among the arguments; a running process cannot be given another one.
 *
 * What it writes that is no message is logged and never passed on: many servers log where only messages belong.
 *
 * To stop it, standard input is closed; after two seconds the process group gets SIGTERM, after two more SIGKILL.
 *
 * @param onMessage gets one message after the other, in order
 * @param limits a message of more than `messageBytes` is dropped, and the request that it answers gets an error
 */
export const startChildServer = Effect.fnUntraced(function* (
  serverName: string,
  command: ChildCommand,
  onMessage: OnMessage,
  { messageBytes }: Pick<Limits, "messageBytes"> = defaultLimits
): Effect.fn.Return<MessageConnection, ConnectionFailed, Scope.Scope | ChildProcesses> {
  const redact = makeRedactor(command)
  const shown = (text: string) => shorten(redact(text.slice(0, longestRedacted)))
  const scope = yield* Effect.scope
  const processes = yield* ChildProcesses
  const child = yield* processes.start(serverName, command, "pipe")
  const { stderr, stdin, stdout } = child.process
  const input = yield* makeChildInput(stdin)
  const ended = yield* Deferred.make<string>()
  const lastLines = yield* Ref.make<ReadonlyArray<string>>([])
  const progress: Progress = { messages: 0, isBusy: false }

  const hintOnce = yield* Effect.cached(
    Effect.logWarning(
      "MCP server writes to its standard output what is no message, which is not passed on. Logs belong on standard error, and a message needs a line for itself"
    )
  )
  const logNoise = (text: string) =>
    Effect.andThen(hintOnce, Effect.logWarning("MCP server wrote what is no message:", shown(text)))

  const passOn = (message: JsonRpcMessage) =>
    Effect.suspend(() => {
      progress.isBusy = true
      return onMessage(message)
    }).pipe(
      Effect.ensuring(
        Effect.sync(() => {
          progress.messages += 1
          progress.isBusy = false
        })
      )
    )

  const takeLine = (line: string): Effect.Effect<void> | undefined => {
    // A message as nearly all are; the others, and what is none, take longer.
    const message = line.startsWith("{") ? parseOnlyMessage(line) : undefined
    if (message === undefined) return readLine(line)
    if (onMessage.now?.(message) !== true) return passOn(message)
    progress.messages += 1
    return undefined
  }

  const readLine = (line: string) =>
    Effect.flatMap(readMessageLine(line), ({ messages, noise, unreadable }) =>
      unreadable === undefined
        ? Effect.andThen(
            Effect.forEach(noise, logNoise, { discard: true }),
            Effect.forEach(messages, passOn, { discard: true })
          )
        : Effect.flatMap(findIds(line), (found) => reportUnread(found, unreadable.problem))
    )

  const reportTooLong = (found: LongMessage) =>
    reportUnread(found, `It has more than ${messageBytes} bytes: ask for less, or raise limits.message_bytes`)

  const reportUnread = Effect.fnUntraced(function* ({ answers, requests }: LongMessage, why: string) {
    const problem = `A message of the MCP server "${serverName}" was dropped. ${why}`
    yield* Effect.logError(problem)
    const errors = (ids: LongMessage["answers"]) =>
      ids.flatMap((id) => errorMessages(id, errorCodes.gatewayFailure, problem))
    yield* Effect.forEach(errors(answers), passOn, { discard: true })
    // In a fiber of its own: the child may read nothing before more of its output has been read.
    yield* Effect.forkIn(
      Effect.forEach(errors(requests), ({ text }) => input.write(text), { discard: true }),
      scope
    )
  })

  const takeLines =
    stdout === null
      ? Effect.void
      : readLines(
          stdout,
          { maxBytes: messageBytes, lineEnd: "crOrLf", onTooLong: () => new LongMessageReader() },
          (line) => (typeof line === "string" ? takeLine(line) : reportTooLong(line))
        )
  const readMessages = takeLines.pipe(
    Effect.ignore,
    Effect.as("closed its standard output"),
    // Whatever goes wrong, the end of the reading is the end of the connection.
    Effect.catchDefect((defect) =>
      Effect.as(
        Effect.logError("The output of the MCP server could not be read:", defect),
        "was stopped, because its output could not be read,"
      )
    )
  )

  const errorLog = yield* Effect.forkScoped(logErrorOutput(readable(stderr), redact, lastLines), {
    startImmediately: true
  })
  const inputClosed = Effect.gen(function* () {
    yield* input.broken
    // Of a child that is about to end the output is read to its end.
    const end = yield* Effect.timeoutOption(child.ended, shutdownGrace)
    return Option.isNone(end) ? "closed its standard input" : yield* Effect.never
  })
  const untilEnd = Effect.gen(function* () {
    // Then the server can answer nothing any more, or be asked nothing.
    const how = yield* Effect.raceAllFirst([readMessages, outputGivenUp(child, progress), inputClosed])
    yield* input.close
    const exit = yield* Effect.timeoutOption(child.ended, shutdownGrace)
    if (Option.isNone(exit)) yield* child.terminate("SIGTERM", shutdownGrace)
    const end = yield* child.ended
    yield* Effect.timeoutOption(Fiber.await(errorLog), lastOutput)
    const text = Option.isSome(exit) ? describeEnd(end) : `${how} and ${describeEnd(end)}`
    yield* Deferred.succeed(ended, withLastLines(text, yield* Ref.get(lastLines)))
    yield* child.terminate("SIGTERM", shutdownGrace)
  })
  yield* Effect.forkScoped(untilEnd, { startImmediately: true })
  const stop = Effect.gen(function* () {
    yield* input.end
    const end = yield* Effect.timeoutOption(child.ended, shutdownGrace)
    if (Option.isNone(end)) yield* child.terminate("SIGTERM", shutdownGrace)
  })
  yield* Effect.addFinalizer(() => stop)
  return {
    send: input.write,
    sendNow: input.writeNow,
    ended: Deferred.await(ended),
    logUnexpected: (text) => Effect.logWarning("MCP server sent what nobody asked for:", shown(text)),
    expiresAt: command.expiresAt,
    stop
  }
})

const readable = (output: Readable | null): Stream.Stream<Uint8Array, unknown> =>
  output === null ? Stream.empty : NodeStream.fromReadable<Uint8Array>({ evaluate: () => output })

/** How far the reading of the messages is. */
interface Progress {
  messages: number
  /** Somebody has not taken the last message yet. */
  isBusy: boolean
}

/**
 * A process that the child has started may keep the outputs open after the child has ended. They are given up once nothing
 * has come for a second.
 */
const outputGivenUp = (child: StartedChild, progress: Readonly<Progress>) => {
  const untilQuiet: Effect.Effect<void> = Effect.gen(function* () {
    const before = progress.messages
    yield* Effect.sleep(lastOutput)
    if (progress.isBusy || progress.messages !== before) yield* untilQuiet
  })
  return Effect.as(Effect.andThen(child.ended, untilQuiet), "kept its outputs open")
}

const withLastLines = (how: string, lastLines: ReadonlyArray<string>): string =>
  lastLines.length === 0 ? how : `${how}. The end of its error output:\n${lastLines.join("\n")}`

const longestShown = 2000
/** Far more than is shown, so that no secret is cut where it would show, and far less than a message may have. */
const longestRedacted = 512 * 1024

const shorten = (text: string) => (text.length > longestShown ? `${text.slice(0, longestShown)}...` : text)
