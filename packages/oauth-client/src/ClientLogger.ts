import * as Cause from "effect/Cause"
import * as Logger from "effect/Logger"
import type * as LogLevel from "effect/LogLevel"
import * as References from "effect/References"
import { inspect } from "node:util"

/**
 * Where the client logs: `console`, or any logger with such methods. A method that is missing leaves its entries out. No
 * entry contains a secret.
 */
export interface ClientLogger {
  readonly debug?: LogMethod | undefined
  readonly info?: LogMethod | undefined
  readonly warn?: LogMethod | undefined
  readonly error?: LogMethod | undefined
}

/**
 * Logs one entry.
 *
 * @param details among them `server_name` and `correlation_id`, where they are known
 */
export type LogMethod = (message: string, details: Readonly<Record<string, unknown>>) => void

/** The Effect logger that hands entries to the one that was given. What that one throws is nobody's error. */
export const makeEffectLogger = (logger: ClientLogger): Logger.Logger<unknown, void> =>
  Logger.make(({ cause, fiber, logLevel, message }) => {
    const level = methodOf[logLevel]
    if (logger[level] === undefined) return
    const text = [message].flat().map(textOf).join(" ")
    const details = { ...fiber.getRef(References.CurrentLogAnnotations) }
    try {
      logger[level](text, cause.reasons.length === 0 ? details : { ...details, cause: Cause.pretty(cause) })
    } catch {
      // A logger that fails must not fail what it logs.
    }
  })

const textOf = (value: unknown): string => (typeof value === "string" ? value : inspect(value))

const methodOf: Readonly<Record<LogLevel.LogLevel, keyof ClientLogger>> = {
  All: "debug",
  None: "debug",
  Trace: "debug",
  Debug: "debug",
  Info: "info",
  Warn: "warn",
  Error: "error",
  Fatal: "error"
}
