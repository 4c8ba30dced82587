import { AssertionError } from "node:assert"
import { randomBytes } from "node:crypto"
import { compact, type EncodedCanary, encodingsOf, percentDecoded } from "./CanaryEncodings.ts"
import { type HaystackText, textsOf } from "./CanaryHaystack.ts"

/** A secret that can be recognised wherever it turns up: `canary-<name>-<24 random hex digits>`. */
export const canary = (name: string): string => `canary-${name}-${randomBytes(12).toString("hex")}`

/** A canary that was found. */
export interface CanarySighting {
  readonly canary: string
  readonly encoding: string
  /** Where in the haystack: a property path such as `$.cause.message`, or the rendering it stood in. */
  readonly where: string
  readonly excerpt: string
}

/**
 * Throws an `AssertionError` that lists every canary found in the text or value, with its encoding and place.
 * See {@link findCanaries} for what is searched.
 */
export const assertNoCanary = (haystack: unknown, canaries: string | ReadonlyArray<string>): void => {
  const sightings = findCanaries(haystack, canaries)
  if (sightings.length === 0) return
  throw new AssertionError({
    message: sightings.map(describe).join("\n"),
    stackStartFn: assertNoCanary
  })
}

/**
 * Searches for each canary as it is, percent- and form-encoded, JSON-escaped, in hex, and in base64 or base64url
 * alone or inside something longer (`id:secret`), also when line breaks run through it. A value other than a
 * string is searched through all its properties, as `util.inspect` shows it, and as JSON.
 */
export const findCanaries = (
  haystack: unknown,
  canaries: string | ReadonlyArray<string>
): ReadonlyArray<CanarySighting> => {
  const wanted = [canaries].flat()
  // Searching for nothing would be an assertion that cannot fail.
  if (wanted.length === 0 || wanted.some((value) => value.length < 8)) {
    throw new RangeError("Give at least one canary, each of at least 8 characters")
  }
  const texts = [...textsOf(haystack)].map(readingsOf)
  return wanted.flatMap((canary) =>
    encodingsOf(canary).flatMap((encoded) =>
      texts.flatMap((text) => {
        const sighting = look(encoded, text)
        return sighting === undefined ? [] : [{ canary, ...sighting }]
      })
    )
  )
}

interface Reading {
  readonly how: string
  readonly text: string
}

interface Readings {
  readonly where: string
  readonly readings: ReadonlyArray<Reading>
}

const readingsOf = ({ text, where }: HaystackText): Readings => {
  const compacted = compact(text)
  return {
    where,
    readings: [
      { how: "", text },
      { how: "", text: compacted },
      { how: "percent-encoded ", text: compact(percentDecoded(compacted)) }
    ]
  }
}

const look = ({ encoding, foldsCase, needle }: EncodedCanary, { readings, where }: Readings) => {
  for (const { how, text } of readings) {
    const at = (foldsCase ? text.toLowerCase() : text).indexOf(needle)
    if (at >= 0) return { encoding: how + encoding, where, excerpt: excerpt(text, at, needle.length) }
  }
  return undefined
}

const describe = ({ canary, encoding, excerpt, where }: CanarySighting) =>
  `${canary} stands as ${encoding} in ${where}: ${excerpt}`

const excerpt = (text: string, at: number, length: number) =>
  text.slice(Math.max(0, at - 30), at + length + 30)
