import * as Effect from "effect/Effect"
import * as Flag from "effect/cli/Flag"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"

/** `--log-format pretty|json`, for every command. */
export const LogFormat = GlobalFlag.Setting("log-format")({
  flag: Flag.Literals("log-format", ["pretty", "json"]).pipe(
    Flag.withDefault("pretty"),
    Flag.withDescription("How log lines on standard error are written")
  )
})

/** Logs go to standard error, so that standard output holds results only. */
export const loggingLayer = Layer.unwrap(
  Effect.map(LogFormat, (format) =>
    Logger.layer([format === "json" ? Logger.withConsoleError(Logger.formatJson) : Logger.consolePretty()])
  )
).pipe(Layer.merge(Layer.succeed(Logger.LogToStderr, true)))
