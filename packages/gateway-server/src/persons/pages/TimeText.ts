import * as DateTime from "effect/DateTime"
import * as Option from "effect/Option"
import { escapeHtml } from "../../login/BrowserPage.ts"

/**
 * A time, as HTML: how long ago or in how long, and which time that is.
 *
 * @param at in ISO 8601, or in milliseconds since the epoch
 * @param now in milliseconds since the epoch
 */
export const timeText = (at: string | number, now: number): string =>
  Option.match(DateTime.make(at), {
    onSome: (time) =>
      `${distance(DateTime.toEpochMillis(time) - now)} <span class="quiet">(${calendarTime(time)})</span>`,
    onNone: () => notInCalendar(at)
  })

/** A time without how long ago it is. */
export const momentText = (at: number): string =>
  Option.match(DateTime.make(at), { onSome: calendarTime, onNone: () => notInCalendar(at) })

const calendarTime = (time: DateTime.DateTime): string => {
  const iso = DateTime.formatIso(time)
  const day = DateTime.formatUtc(time, { locale: "en-GB", dateStyle: "long" })
  return `<time datetime="${iso}">${day}, ${iso.slice(-13, -8)} UTC</time>`
}

/** Of a file that others can write, or of a server that says that a token lives for millions of years. */
const notInCalendar = (at: string | number): string =>
  typeof at === "string" ? `<bdi>${escapeHtml(at)}</bdi>` : "at a time that no calendar has"

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

const distance = (milliseconds: number): string => {
  const length = Math.abs(milliseconds)
  return milliseconds > 0 ? `in ${wholeUnits(length)}` : `${wholeUnits(length)} ago`
}

const wholeUnits = (length: number): string => {
  if (length < minute) return "less than a minute"
  if (length < hour) return counted(length / minute, "minute")
  return length < day ? counted(length / hour, "hour") : counted(length / day, "day")
}

const counted = (count: number, unit: string): string =>
  Math.floor(count) === 1 ? `1 ${unit}` : `${Math.floor(count)} ${unit}s`
