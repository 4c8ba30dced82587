import * as Base64 from "effect/encoding/Base64"
import * as Base64Url from "effect/encoding/Base64Url"
import * as Hex from "effect/encoding/Hex"
import * as Redacted from "effect/Redacted"
import { formEncode } from "../client/ClientAuthentication.ts"
import { makePartFinder, type Place } from "./SecretParts.ts"

/** Makes the words of a server fit to be shown. */
export type SecretMask = (text: string) => string

/**
 * Makes a text printable ASCII on one line and takes the given secrets out: a careless server may echo them, whole, in
 * part or masked (`sk_live_****abcd`). What is not printable is dropped first, so that nothing can hide between the
 * characters of a secret.
 */
export const makeSecretMask = (secrets: ReadonlyArray<Redacted.Redacted>): SecretMask => {
  // Most answers are not masked: prepare for the first that is.
  let cut: SecretMask | undefined
  return (text) => {
    if (cut === undefined) {
      const forms = formsOf(secrets)
      cut = cutter(forms, "[secret]", makePartFinder(forms))
    }
    return cut(printable(withPrintableMasks(text)))
  }
}

/** Bullets and ellipses that stand for characters of a secret must not vanish, or what is left cannot be told from words. */
const withPrintableMasks = (text: string): string =>
  text.replaceAll(/[•●∗＊█]{2,}/g, "****").replaceAll("…", "...")

const printable = (text: string): string => text.replaceAll(/\s+/g, " ").replaceAll(/[^\x20-\x7E]/g, "")

/**
 * Makes a function that replaces secrets in texts of any length: as they are, line by line, and in the encodings in
 * which programs send and print them, in upper and lower case. Secrets that overlap are replaced together. Values of
 * fewer than four characters are flags and numbers, and stay.
 *
 * @param replacement stands where a secret was
 */
export const makeSecretCutter = (
  secrets: ReadonlyArray<Redacted.Redacted>,
  replacement: string
): ((text: string) => string) => cutter(formsOf(secrets), replacement, () => [])

const formsOf = (secrets: ReadonlyArray<Redacted.Redacted>): ReadonlySet<string> =>
  new Set(
    secrets
      .map(Redacted.value)
      .flatMap(partsOf)
      .filter(isTelling)
      .flatMap((part) => encodingsOf(part).flatMap((form) => [form, printable(form)]))
      .filter(isTelling)
      .map(lowerCase)
  )

const cutter =
  (
    forms: ReadonlySet<string>,
    replacement: string,
    findParts: (text: string) => ReadonlyArray<Place>
  ): ((text: string) => string) =>
  (text) => {
    const lower = lowerCase(text)
    const whole = [...forms].flatMap((form) => placesOf(form, lower))
    const places = [...whole, ...findParts(lower)].toSorted((a, b) => a.start - b.start)
    return replaceAt(text, merge(places), replacement)
  }

const placesOf = (form: string, text: string): ReadonlyArray<Place> => {
  const places: Array<Place> = []
  for (let start = text.indexOf(form); start >= 0; start = text.indexOf(form, start + form.length)) {
    places.push({ start, end: start + form.length })
  }
  return places
}

/** Joins places that overlap. One secret directly behind another stays a place of its own. */
const merge = (sorted: ReadonlyArray<Place>): ReadonlyArray<Place> => {
  const merged: Array<Place> = []
  for (const place of sorted) {
    const last = merged.at(-1)
    if (last === undefined || place.start >= last.end) merged.push(place)
    else merged[merged.length - 1] = { start: last.start, end: Math.max(last.end, place.end) }
  }
  return merged
}

const replaceAt = (text: string, places: ReadonlyArray<Place>, replacement: string): string => {
  const between = places.map(
    ({ start }, index) => text.slice(places[index - 1]?.end ?? 0, start) + replacement
  )
  return between.join("") + text.slice(places.at(-1)?.end ?? 0)
}

/** The value, its lines, and the credentials of an Authorization header. */
const partsOf = (secret: string): ReadonlyArray<string> => [
  secret,
  ...secret.split(/\r?\n/),
  ...(/^[\w-]+ (?<credentials>\S+)$/.exec(secret)?.slice(1) ?? [])
]

const encodingsOf = (value: string): ReadonlyArray<string> => {
  const base64 = Base64.encode(value)
  return [
    value,
    JSON.stringify(value).slice(1, -1),
    formEncode(value),
    encodeURIComponent(value.toWellFormed()),
    Hex.encode(value),
    base64,
    // The last digits depend on what follows the secret.
    base64.replace(/.?=*$/, ""),
    Base64Url.encode(value).slice(0, -1)
  ]
}

/** A text of one letter is no secret, and taking it out would take the whole text apart. */
const isTelling = (form: string): boolean => form.length >= 4

/** ASCII only, so that no character changes its length or depends on its neighbours. */
const lowerCase = (text: string): string =>
  text.replaceAll(/[^\u0080-\uFFFF]+/g, (ascii) => ascii.toLowerCase())
