import { constants } from "node:os"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as MutableRef from "effect/MutableRef"
import * as Runtime from "effect/Runtime"

/** The signal that tells this process to end, and what it means. */
export class StopSignal extends Context.Service<
  StopSignal,
  {
    /** The one that was received; undefined as long as there was none. */
    readonly received: MutableRef.MutableRef<NodeJS.Signals | undefined>
    /** Whether it is the ordinary end of this process. */
    readonly isOrdinaryEnd: MutableRef.MutableRef<boolean>
  }
>()("@secure-mcp/gateway/StopSignal") {}

/** No signal yet. */
export const makeStopSignal = (): StopSignal["Service"] => ({
  received: MutableRef.make<NodeJS.Signals | undefined>(undefined),
  isOrdinaryEnd: MutableRef.make(false)
})

/** Declares that the running command ends with exit code 0 when it is told to stop. */
export const declareEndsOnSignal = Effect.map(StopSignal, ({ isOrdinaryEnd }) =>
  MutableRef.set(isOrdinaryEnd, true)
)

/** The signals that tell a process to end: by a service manager, by Ctrl+C, by a terminal that is closed, by Ctrl+Break. */
const stopSignals = ["SIGTERM", "SIGINT", "SIGHUP", "SIGBREAK"] as const

const ignore = () => {}

/** Milliseconds after which another signal means that somebody will not wait any longer. */
const impatience = 1000

/**
 * Runs a command as this process. A signal to end interrupts it, so that what it has opened is closed; the exit code is then
 * 128 and the number of the signal, as in a shell, unless the command was declared to end that way. Another signal, more than
 * a second later, ends the process at once. SIGUSR1 does nothing.
 */
export const runMain = ({ isOrdinaryEnd, received }: StopSignal["Service"]) =>
  Runtime.makeRunMain(({ fiber, teardown }) => {
    const firstAt = MutableRef.make(0)
    const stop = (signal: NodeJS.Signals) => {
      if (MutableRef.get(received) === undefined) {
        MutableRef.set(received, signal)
        MutableRef.set(firstAt, performance.now())
        return fiber.interruptUnsafe(fiber.id)
      }
      // A terminal and a program such as npm may both send one.
      if (performance.now() - MutableRef.get(firstAt) > impatience)
        process.exit(128 + constants.signals[signal])
    }
    for (const signal of stopSignals) process.on(signal, stop)
    // Without a listener Node opens its inspector at this signal, and whoever reaches that port reads every token.
    process.on("SIGUSR1", ignore)
    fiber.addObserver((exit) => {
      for (const signal of stopSignals) process.off(signal, stop)
      teardown(exit, (code) => {
        if (code !== 0 || MutableRef.get(received) !== undefined) process.exit(code)
      })
    })
  })({
    // `withVisibleOutput` reports them.
    disableErrorReporting: true,
    teardown: (exit, onExit) => {
      const signal = MutableRef.get(received)
      if (signal === undefined || Exit.isSuccess(exit) || !Cause.hasInterruptsOnly(exit.cause))
        return Runtime.defaultTeardown(exit, onExit)
      onExit(MutableRef.get(isOrdinaryEnd) ? 0 : 128 + constants.signals[signal])
    }
  })
