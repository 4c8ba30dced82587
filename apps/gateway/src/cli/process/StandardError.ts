import * as Cause from "effect/Cause"
import * as CliOutput from "effect/cli/CliOutput"
import * as Flag from "effect/cli/Flag"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as TerminalCapabilities from "effect/cli/TerminalCapabilities"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Runtime from "effect/Runtime"
import { makePrettyLog, makeVisibleConsole } from "@secure-mcp/gateway-server/internal"

/** `--log-format pretty|json`, for every command. */
export const LogFormat = GlobalFlag.Setting("log-format")({
  flag: Flag.Literals("log-format", ["pretty", "json"]).pipe(
    Flag.withDefault("pretty"),
    Flag.withDescription("How log lines on standard error are written")
  )
})

/**
 * Writes logs to standard error: standard output is for results, and under `stdio` for protocol messages. The JSON of logs is
 * left as it is.
 */
export const loggingLayer = Layer.unwrap(
  Effect.map(LogFormat, (format) =>
    Logger.layer([format === "json" ? Logger.map(Logger.formatJson, writeError) : makePrettyLog(writeError)])
  )
)

const writeError = (text: string) => globalThis.console.error(text)

/** Writes what is wrong with a command line, and the help that goes with it, to standard error. */
export const usageOutputLayer = CliOutput.layerPresenter({
  present: Effect.fnUntraced(function* (event) {
    const { canColor } = yield* TerminalCapabilities.TerminalCapabilities
    if (event._tag === "Version") return yield* CliOutput.defaultPresenter.present(event)
    // All of the help is ours, and it may have colours. An error quotes the command line.
    const help = Effect.provideService(
      event._tag === "Help"
        ? CliOutput.defaultPresenter.present(event)
        : Console.error(CliOutput.defaultFormatter({ colors: canColor }).formatHelpDoc(event.helpDoc)),
      Console.Console,
      globalThis.console
    )
    yield* help
    if (event._tag === "InvalidInvocation")
      yield* Console.error(CliOutput.defaultFormatter({ colors: false }).formatErrors(event.errors))
  })
})

/** Runs a command whose every text for people is shown with `visibleText`, also that of a failure by a bug. */
export const withVisibleOutput = <A, E, R>(command: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  command.pipe(
    Effect.tapCause((cause) =>
      Cause.hasInterruptsOnly(cause) || !Runtime.getErrorReported(Cause.squash(cause))
        ? Effect.void
        : Effect.logError(cause)
    ),
    Effect.provide(Logger.layer([makePrettyLog(writeError)])),
    Effect.provideService(Console.Console, makeVisibleConsole(globalThis.console))
  )
