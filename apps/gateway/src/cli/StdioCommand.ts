import * as NodeStream from "@effect/platform-node/NodeStream"
import type { AccessTokenRequest } from "@secure-mcp/oauth-core"
import type { HttpServerEntry, Limits, StdioServerEntry } from "@secure-mcp/transport-injection"
import * as Command from "effect/cli/Command"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as MutableRef from "effect/MutableRef"
import * as Option from "effect/Option"
import { accessTokenRequest, gatewayServices, limitsOf } from "@secure-mcp/gateway-server"
import {
  ChildProcesses,
  connectSse,
  type Deliver,
  describeEnd,
  exitCodeOf,
  makeChildCommand,
  makeFallbackSession,
  makeHttpSession,
  makeSseSession,
  makeUpstreamFetch,
  opensSse,
  printErrorOutput,
  relay,
  restrictedSession,
  type StartedChild
} from "@secure-mcp/gateway-server/internal"
import { CommandFailure, failCommand, failCommandWith } from "./CommandFailure.ts"
import { ConfigFlag, loadConfig } from "./ConfigFlag.ts"
import { keepHeapSmall } from "./process/SmallHeap.ts"
import { StopSignal } from "./process/StopSignal.ts"
import { findServer, ServerArgument, SubjectFlag } from "./ServerArgument.ts"

/** `stdio`: offers one server on standard input and output. */
export const StdioCommand = Command.make(
  "stdio",
  { server: ServerArgument, config: ConfigFlag, subject: SubjectFlag },
  Effect.fnUntraced(function* (flags) {
    const config = yield* loadConfig(flags.config)
    const entry = yield* findServer(config, flags.server)
    const tokenRequest = accessTokenRequest(entry, config, Option.getOrUndefined(flags.subject))
    const offer: Effect.Effect<void, OfferError, OfferServices> =
      entry._tag === "Http"
        ? relayToUpstream(entry, tokenRequest, limitsOf(entry, config))
        : runChild(entry, tokenRequest)
    yield* offer.pipe(
      Effect.annotateLogs({ server_name: entry.serverName }),
      Effect.provide(gatewayServices(config)),
      Effect.catchTag(
        ["OAuthError", "Misconfigured", "StoreUnavailable", "RelayError", "ConnectionFailed"],
        failCommandWith(tokenRequest)
      )
    )
  }, Effect.scoped)
).pipe(
  Command.withDescription("Offer one server on standard input and output, for clients that only speak stdio")
)

const relayToUpstream = Effect.fnUntraced(function* (
  entry: HttpServerEntry,
  tokenRequest: AccessTokenRequest | undefined,
  limits: Limits
) {
  const fetch = (yield* makeUpstreamFetch(entry))(tokenRequest)
  const { messageBytes } = limits
  const overHttp = (deliver: Deliver) => makeHttpSession({ fetch, deliver, messageBytes })
  const overSse = (deliver: Deliver) =>
    makeSseSession({ deliver, connect: (onMessage) => connectSse({ fetch, messageBytes }, onMessage) })
  yield* relay({
    input: process.stdin,
    output: process.stdout,
    limits,
    onFirstAnswer: keepHeapSmall,
    connect: restrictedSession(entry.tools, (deliver) =>
      entry.transport === "sse"
        ? overSse(deliver)
        : makeFallbackSession({
            http: overHttp(deliver),
            sse: overSse(deliver),
            isOlder: opensSse({ fetch, messageBytes })
          })
    )
  })
})

/**
 * Gives the child the standard streams themselves: there is nothing to relay. Only if standard error is a terminal, what the
 * child writes there is read first, so that control characters are shown and not obeyed. A signal that ends this command is passed on to
 * the child, which has less time for its end than an MCP client waits before it kills this process (two seconds).
 */
const runChild = Effect.fnUntraced(
  function* (entry: StdioServerEntry, tokenRequest: AccessTokenRequest | undefined) {
    if (entry.tools !== undefined)
      return yield* failCommand(
        `The server "${entry.serverName}" has \`tools\`, and here its process speaks with the client directly. Use serve, or take \`tools\` out`
      )
    const { received } = yield* StopSignal
    const childCommand = yield* makeChildCommand(entry, () => tokenRequest)
    const command = yield* childCommand(undefined)
    const processes = yield* ChildProcesses
    const child = yield* processes.start(
      entry.serverName,
      command,
      process.stderr.isTTY ? "pipeErrors" : "inherit"
    )
    keepHeapSmall()
    const errors = yield* Effect.forkScoped(printErrors(child), { startImmediately: true })
    const end = yield* Effect.onInterrupt(child.ended, () =>
      child.terminate(MutableRef.get(received) ?? "SIGTERM", "1 second")
    )
    // A process that the child has started may keep the output open.
    yield* Effect.timeoutOption(Fiber.await(errors), "1 second")
    if (end.signal !== undefined)
      yield* Console.error(`The MCP server "${entry.serverName}" ${describeEnd(end)}`)
    const exitCode = exitCodeOf(end)
    if (exitCode !== 0) return yield* new CommandFailure({ exitCode })
  },
  Effect.scoped,
  Effect.provide(ChildProcesses.layer)
)

/** The error output of a child, if it comes to this process because a terminal would obey what is in it. */
const printErrors = ({ process: { stderr } }: StartedChild): Effect.Effect<void> =>
  stderr === null ? Effect.void : printErrorOutput(NodeStream.fromReadable({ evaluate: () => stderr }))

type Offer = ReturnType<typeof relayToUpstream> | ReturnType<typeof runChild>
type OfferError = Effect.Error<Offer>
type OfferServices = Effect.Services<Offer>
