import type { AccessTokenRequest } from "@secure-mcp/oauth-core"
import type { HttpServerEntry, StdioServerEntry } from "@secure-mcp/transport-injection"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as ChildProcess from "effect/process/ChildProcess"
import { gatewayServices } from "../GatewayServices.ts"
import { accessTokenRequest } from "../upstream/Servers.ts"
import { makeChildCommand } from "../upstream/StdioUpstream.ts"
import { makeUpstreamFetch } from "../relay/UpstreamFetch.ts"
import { childEnvironment } from "../child/ChildCommand.ts"
import { relay } from "../relay/StdioRelay.ts"
import { CommandFailure, failCommand, failCommandWith } from "./CommandFailure.ts"
import { ConfigFlag, loadConfig } from "./ConfigFlag.ts"
import { declareEndsOnSignal } from "./process/StopSignal.ts"
import { findServer, ServerArgument, SubjectFlag } from "./ServerArgument.ts"

/** `stdio`: offers one server on standard input and output. */
export const StdioCommand = Command.make(
  "stdio",
  { server: ServerArgument, config: ConfigFlag, subject: SubjectFlag },
  Effect.fnUntraced(function* (flags) {
    yield* declareEndsOnSignal
    const config = yield* loadConfig(flags.config)
    const entry = yield* findServer(config, flags.server)
    const tokenRequest = accessTokenRequest(entry, config, Option.getOrUndefined(flags.subject))
    const offer: Effect.Effect<void, OfferError, OfferServices> =
      entry._tag === "Http" ? relayToUpstream(entry, tokenRequest) : runChild(entry, tokenRequest)
    yield* offer.pipe(
      Effect.provide(gatewayServices(config)),
      Effect.catchTag(
        ["OAuthError", "Misconfigured", "StoreUnavailable", "RelayError"],
        failCommandWith(tokenRequest)
      )
    )
  }, Effect.scoped)
).pipe(
  Command.withDescription("Offer one server on standard input and output, for clients that only speak stdio")
)

const relayToUpstream = Effect.fnUntraced(function* (
  entry: HttpServerEntry,
  tokenRequest: AccessTokenRequest | undefined
) {
  const fetch = yield* makeUpstreamFetch(entry, tokenRequest)
  yield* relay({ input: process.stdin, output: process.stdout, fetch })
})

/** Gives the child the standard streams themselves: there is nothing to relay. */
const runChild = Effect.fnUntraced(function* (
  entry: StdioServerEntry,
  tokenRequest: AccessTokenRequest | undefined
) {
  const childCommand = yield* makeChildCommand(entry, () => tokenRequest)
  const command = yield* childCommand(undefined)
  const exitCode = yield* ChildProcess.make(command.command, command.args, {
    env: childEnvironment(command),
    cwd: command.cwd,
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit"
  }).pipe(
    Effect.flatMap((child) => child.exitCode),
    Effect.catchTag("PlatformError", ({ reason }) =>
      failCommand(`The command of server "${entry.serverName}" could not be run (${reason._tag})`)
    )
  )
  if (exitCode !== 0) return yield* new CommandFailure({ exitCode })
})

type Offer = ReturnType<typeof relayToUpstream> | ReturnType<typeof runChild>
type OfferError = Effect.Error<Offer>
type OfferServices = Effect.Services<Offer>
