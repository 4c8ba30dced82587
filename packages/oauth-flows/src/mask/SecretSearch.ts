import type { Place, Reading } from "./DecodedText.ts"

/** Finds every place of some texts in a reading. */
export type Search = (reading: Reading) => ReadonlyArray<Place>

/**
 * Makes a search for texts of at least four characters each, of any length. Takes time in proportion to the reading:
 * a text is only looked for where its first four characters stand somewhere.
 *
 * @param texts as in a reading
 */
export const makeSearch = (texts: ReadonlySet<string>): Search => {
  const byBeginning = new Map<number, Array<string>>()
  const mayBegin = new Uint8Array(1 << 16)
  for (const text of texts) {
    const beginning = wordOf(text)
    byBeginning.set(beginning, [...(byBeginning.get(beginning) ?? []), text])
    mayBegin[filterIndex(beginning)] = 1
  }
  return (reading) => {
    const seen = new Set<number>()
    const places: Array<Place> = []
    let word = 0
    for (let at = 0; at < reading.bytes.length; at += 1) {
      word = (word << 8) | (reading.bytes[at] ?? 0)
      if (at < 3 || mayBegin[filterIndex(word)] === 0 || seen.has(word)) continue
      seen.add(word)
      for (const text of byBeginning.get(word) ?? []) addPlaces(places, text, reading, at - 3)
    }
    return places
  }
}

const addPlaces = (places: Array<Place>, text: string, reading: Reading, from: number): void => {
  for (let at = reading.text.indexOf(text, from); at >= 0; at = reading.text.indexOf(text, at + text.length))
    places.push(reading.placeOf(at, at + text.length))
}

/** The first four characters. */
const wordOf = (text: string): number =>
  (text.charCodeAt(0) << 24) | (text.charCodeAt(1) << 16) | (text.charCodeAt(2) << 8) | text.charCodeAt(3)

const filterIndex = (word: number): number => Math.imul(word, 0x9e3779b1) >>> 16
