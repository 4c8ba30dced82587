import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import type * as Scope from "effect/Scope"

/** What happens beside an answer: log entries, and errors that nobody caught. */
export interface Recorder {
  /** Runs an effect with its log entries recorded, those of every level. */
  readonly record: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** The log entries since the last call. */
  readonly takeLog: () => ReadonlyArray<string>
  /** The errors that nobody caught since the last call. */
  readonly takeUncaught: () => ReadonlyArray<unknown>
}

/** Entries that are kept. An input that leads to more is remarkable for other reasons. */
const mostEntries = 2000

/** Records until the scope closes. */
export const makeRecorder: Effect.Effect<Recorder, never, Scope.Scope> = Effect.gen(function* () {
  const log: Array<string> = []
  const uncaught: Array<unknown> = []
  const logger = Logger.make((options) => {
    if (log.length < mostEntries) log.push(Logger.formatJson.log(options))
  })
  const keep = (error: unknown) => void uncaught.push(error)
  yield* Effect.acquireRelease(
    Effect.sync(() => process.on("uncaughtException", keep).on("unhandledRejection", keep)),
    () => Effect.sync(() => process.off("uncaughtException", keep).off("unhandledRejection", keep))
  )
  return {
    record: (effect) =>
      effect.pipe(
        Effect.provide(Logger.layer([logger])),
        Effect.provideService(References.MinimumLogLevel, "All")
      ),
    takeLog: () => log.splice(0),
    takeUncaught: () => uncaught.splice(0)
  }
})
