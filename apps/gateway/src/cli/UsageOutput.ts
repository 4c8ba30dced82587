import * as CliOutput from "effect/cli/CliOutput"
import * as TerminalCapabilities from "effect/cli/TerminalCapabilities"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"

/**
 * What is said of a command line that was not understood goes to standard error, with the help: standard output is
 * for results, and under `stdio` a client reads a protocol from it.
 */
export const usageOutputLayer = CliOutput.layerPresenter({
  present: Effect.fnUntraced(function* (event) {
    if (event._tag !== "InvalidInvocation") return yield* CliOutput.defaultPresenter.present(event)
    const { canColor } = yield* TerminalCapabilities.TerminalCapabilities
    const formatter = CliOutput.defaultFormatter({ colors: canColor })
    yield* Console.error(formatter.formatHelpDoc(event.helpDoc))
    yield* Console.error(formatter.formatErrors(event.errors))
  })
})
