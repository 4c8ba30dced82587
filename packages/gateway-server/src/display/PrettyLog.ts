import * as Cause from "effect/Cause"
import type * as LogLevel from "effect/LogLevel"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import { inspect, styleText } from "node:util"
import { visibleText } from "./VisibleText.ts"

/**
 * Writes log entries for people to standard error: a line each, and below it, indented, the rest of the message, the error
 * and the annotations. All of it is `visibleText`; only the colours, which a terminal gets, are ours. A text of several lines
 * is indented, so that none of them looks like another entry.
 *
 * @param write gets each entry, without its last line end
 */
export const makePrettyLog = (write: (text: string) => void): Logger.Logger<unknown, void> =>
  Logger.make(({ cause, date, fiber, logLevel, message }) => {
    const [first, ...others] = Array.isArray(message) ? message : [message]
    const now = date.getTime()
    const spans = fiber
      .getRef(References.CurrentLogSpans)
      .map(([label, begun]) => ` ${visibleText(label)}=${now - begun}ms`)
      .join("")
    const head = `${paint("gray", `[${timeOf(date)}]`)} ${paint(colorOf[logLevel], logLevel.toUpperCase())} (#${fiber.id})${spans}:`
    const annotations = Object.entries(fiber.getRef(References.CurrentLogAnnotations))
    write(
      [
        `${head} ${paint("bold", indented(shown(first)))}`,
        ...(cause.reasons.length === 0 ? [] : [indented(visibleText(Cause.pretty(cause)))]),
        ...others.map((other) => indented(shown(other))),
        ...annotations.map(
          ([name, value]) => `${paint("bold", `${visibleText(name)}:`)} ${indented(shown(value))}`
        )
      ].join("\n  ")
    )
  })

const shown = (value: unknown): string => visibleText(typeof value === "string" ? value : inspect(value))

const indented = (text: string): string => text.replaceAll("\n", "\n    ")

type Color = "bold" | "gray" | "green" | "yellow" | "red" | "cyan"

const colorOf: Readonly<Record<LogLevel.LogLevel, Color>> = {
  All: "gray",
  None: "gray",
  Trace: "gray",
  Debug: "cyan",
  Info: "green",
  Warn: "yellow",
  Error: "red",
  Fatal: "red"
}

/** Colours a text if standard error is a terminal that is to have colours (NO_COLOR, FORCE_COLOR). */
const paint = (color: Color, text: string): string => styleText(color, text, { stream: process.stderr })

/** The time of day on this machine. */
const timeOf = (date: Date): string =>
  [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((part) => String(part).padStart(2, "0"))
    .join(":") + `.${String(date.getMilliseconds()).padStart(3, "0")}`
