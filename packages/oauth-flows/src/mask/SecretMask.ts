import * as Redacted from "effect/Redacted"
import { formEncode } from "../client/ClientAuthentication.ts"
import { type Place, plainReadingsOf, readingsOf } from "./DecodedText.ts"
import { makeMaskedSearch, makeRunSearch } from "./SecretParts.ts"
import { makeSearch, type Search } from "./SecretSearch.ts"

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
    cut ??= makeCutter(secrets, "[secret]", (texts) => [makeRunSearch(texts), makeMaskedSearch(texts)])
    return cut(printable(withPrintableMasks(text)))
  }
}

/** Bullets and ellipses that stand for characters of a secret must not vanish, or what is left cannot be told from words. */
const withPrintableMasks = (text: string): string =>
  text.replaceAll(/[•●∗＊█]{2,}/g, "****").replaceAll("…", "...")

const printable = (text: string): string => text.replaceAll(/\s+/g, " ").replaceAll(/[^\x20-\x7E]/g, "")

/**
 * Makes a function that replaces secrets in texts of any length: as they are, line by line, and in the encodings in
 * which programs send and print them, or in several at once: percent, JSON and HTML escapes, however often, hexadecimal
 * and base64 (base64url), of UTF-8 and of UTF-16, in upper and lower case. Secrets that overlap are replaced together.
 * Values of fewer than four characters are flags and numbers, and stay. Takes time in proportion to the secrets and the
 * text.
 *
 * @param replacement stands where a secret was
 */
export const makeSecretCutter = (
  secrets: ReadonlyArray<Redacted.Redacted>,
  replacement: string
): ((text: string) => string) => {
  let cut: SecretMask | undefined
  return (text) => {
    cut ??= makeCutter(secrets, replacement, () => [])
    return cut(text)
  }
}

/** @param moreSearches for what tells of the secrets besides them, given as they are in a reading */
const makeCutter = (
  secrets: ReadonlyArray<Redacted.Redacted>,
  replacement: string,
  moreSearches: (texts: ReadonlySet<string>) => ReadonlyArray<Search>
): ((text: string) => string) => {
  const parts = secrets.map(Redacted.value).flatMap(partsOf).filter(isTelling)
  const texts = new Set(parts.flatMap(readingsOfSecret).filter(isTelling))
  const searches = [makeSearch(texts), ...moreSearches(texts)]
  const foldedBase64 = makeSearch(new Set(parts.flatMap(lowerBase64Of)))
  if (texts.size === 0) return (text) => text
  return (text) => {
    const readings = readingsOf(text)
    const places = readings.flatMap((reading) => searches.flatMap((search) => search(reading)))
    const more = readings.slice(0, 1).flatMap(foldedBase64)
    const sorted = [...places, ...more].toSorted((a, b) => a.start - b.start)
    return replaceAt(text, merge(sorted), replacement)
  }
}

/** As it is read in a text, and without what a printable text leaves out. Of UTF-16, ASCII reads as of UTF-8. */
const readingsOfSecret = (part: string): ReadonlyArray<string> => {
  const isAscii = Buffer.byteLength(part) === part.length
  const others = isAscii ? [] : [utf8(printable(part)), utf16le(part), utf16le(part).swap16()]
  return [utf8(part), ...(/\s/.test(part) ? [utf8(formEncode(part))] : []), ...others].flatMap((bytes) =>
    plainReadingsOf(bytes).map((reading) => reading.trim())
  )
}

const utf8 = (text: string) => Buffer.from(text, "utf8")
const utf16le = (text: string) => Buffer.from(text, "utf16le")

/** Base64 of a part, as a program prints it that changes case. Only the digits that depend on the part alone. */
const lowerBase64Of = (part: string): ReadonlyArray<string> => {
  const bytes = Buffer.from(part, "utf8")
  return [0, 1, 2].flatMap((offset) => {
    const shifted = Buffer.concat([Buffer.alloc(offset), bytes])
    const [start, end] = [Math.ceil((offset * 8) / 6), Math.floor((shifted.length * 8) / 6)]
    return (["base64", "base64url"] as const)
      .map((encoding) => shifted.toString(encoding).slice(start, end).toLowerCase())
      .filter(({ length }) => length >= shortestFolded)
  })
}

/** Fewer digits in any case may be a word. */
const shortestFolded = 6

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

/** A text of one letter is no secret, and taking it out would take the whole text apart. */
const isTelling = (form: string): boolean => form.length >= 4
