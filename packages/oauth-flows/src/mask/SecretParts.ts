import type { Place } from "./DecodedText.ts"
import type { Search } from "./SecretSearch.ts"

/** How many characters in a row a text may share with a secret by chance. One more tells of the secret. */
const runLength = 8

/** The end of a secret that masked forms show, as in `****abcd`. A shorter one may be any word. */
const shownLength = 3

/** More of a secret than this is not shown before or behind a mask. */
const longestShown = 64

/**
 * Makes a search for parts of secrets: eight or more characters in a row that a secret has, too. Takes time in
 * proportion to the length of the secrets and the reading.
 *
 * @param secrets as in a reading
 */
export const makeRunSearch = (secrets: ReadonlySet<string>): Search => {
  const runs = makeRuns([...secrets].filter(({ length }) => length >= runLength))
  return (reading) => {
    const places: Array<Place> = []
    let [begin, end] = [-1, -1]
    for (const start of runs.startsIn(reading.bytes)) {
      // Runs that begin one after the other are one part.
      if (start !== end - runLength + 1) {
        if (begin >= 0) places.push(reading.placeOf(begin, end))
        begin = start
      }
      end = start + runLength
    }
    if (begin >= 0) places.push(reading.placeOf(begin, end))
    return places
  }
}

/** The runs of some texts, two words of four bytes each, in an open hash table. */
const makeRuns = (texts: ReadonlyArray<string>) => {
  const count = texts.reduce((sum, { length }) => sum + length - runLength + 1, 0)
  const mask = 2 ** Math.ceil(Math.log2(Math.max(16, count * 2))) - 1
  const used = new Uint8Array(mask + 1)
  const firsts = new Int32Array(mask + 1)
  const seconds = new Int32Array(mask + 1)
  /** Most runs of a text are in no secret: asked first, because it is small. */
  const mayHave = new Uint8Array(1 << 16)

  const hashOf = (first: number, second: number): number => {
    const hash = Math.imul(first, 0x9e3779b1) ^ Math.imul(second, 0x85ebca6b)
    return (hash ^ (hash >>> 15)) >>> 0
  }

  /** Where a run is, or would be put. */
  const slotOf = (hash: number, first: number, second: number): number => {
    let slot = hash & mask
    while (used[slot] === 1 && (firsts[slot] !== first || seconds[slot] !== second)) slot = (slot + 1) & mask
    return slot
  }

  for (const text of texts) {
    let [first, second] = [0, 0]
    for (let at = 0; at < text.length; at += 1) {
      first = (first << 8) | (second >>> 24)
      second = (second << 8) | text.charCodeAt(at)
      if (at < runLength - 1) continue
      const hash = hashOf(first, second)
      const slot = slotOf(hash, first, second)
      used[slot] = 1
      firsts[slot] = first
      seconds[slot] = second
      mayHave[hash >>> 16] = (mayHave[hash >>> 16] ?? 0) | (1 << ((hash >>> 13) & 7))
    }
  }

  return {
    startsIn: (bytes: Uint8Array): ReadonlyArray<number> => {
      const starts: Array<number> = []
      if (count === 0) return starts
      let [first, second] = [0, 0]
      for (let at = 0; at < bytes.length; at += 1) {
        first = (first << 8) | (second >>> 24)
        second = (second << 8) | (bytes[at] ?? 0)
        if (at < runLength - 1) continue
        const hash = hashOf(first, second)
        if (((mayHave[hash >>> 16] ?? 0) & (1 << ((hash >>> 13) & 7))) === 0) continue
        if (used[slotOf(hash, first, second)] === 1) starts.push(at - runLength + 1)
      }
      return starts
    }
  }
}

/** What programs put in the place of characters. */
const masks = /[*#]{2,}|\.{3,}|x{4,}/g

/**
 * Makes a search for masked forms such as `sk_live_****abcd`, which show the beginning or the end of a secret.
 *
 * @param secrets as in a reading
 */
export const makeMaskedSearch = (secrets: ReadonlySet<string>): Search => {
  const [beginnings, ends] = [makeEdges(), makeEdges()]
  for (const secret of secrets) {
    if (secret.length < runLength) continue
    let [ofBeginning, ofEnd, factor] = [0, 0, 1]
    for (let length = 1; length <= Math.min(longestShown, secret.length); length += 1) {
      ofBeginning = append(ofBeginning, secret.charCodeAt(length - 1))
      beginnings.add(ofBeginning, secret.slice(0, length))
      ofEnd = prepend(ofEnd, secret.charCodeAt(secret.length - length), factor)
      ends.add(ofEnd, secret.slice(-length))
      factor = Math.imul(factor, base)
    }
  }

  const longestBefore = (text: string, end: number): number => {
    let [longest, hash, factor] = [0, 0, 1]
    for (let length = 1; length <= Math.min(longestShown, end); length += 1) {
      hash = prepend(hash, text.charCodeAt(end - length), factor)
      factor = Math.imul(factor, base)
      if (beginnings.has(hash, text, end - length, length)) longest = length
    }
    return longest
  }

  const longestBehind = (text: string, start: number): number => {
    let [longest, hash] = [0, 0]
    for (let length = 1; length <= Math.min(longestShown, text.length - start); length += 1) {
      hash = append(hash, text.charCodeAt(start + length - 1))
      if (ends.has(hash, text, start, length)) longest = length
    }
    return longest
  }

  return (reading) =>
    [...reading.text.matchAll(masks)].flatMap(({ 0: mask, index }) => {
      const maskEnd = index + mask.length
      const before = longestBefore(reading.text, index)
      const behind = longestBehind(reading.text, maskEnd)
      return Math.max(before, behind) < shownLength ? [] : [reading.placeOf(index - before, maskEnd + behind)]
    })
}

/** Of the polynomial by which a text is hashed as it grows at either end. */
const base = 0x01000193

const append = (hash: number, character: number): number => (Math.imul(hash, base) + character) | 0

const prepend = (hash: number, character: number, factor: number): number =>
  (hash + Math.imul(character, factor)) | 0

/** A set of texts that is asked for by their hash first: most are not in it. */
const makeEdges = () => {
  const texts = new Set<string>()
  const mayHave = new Uint8Array(1 << 16)
  const indexOf = (hash: number) => Math.imul(hash, 0x9e3779b1) >>> 16
  return {
    add: (hash: number, text: string) => {
      mayHave[indexOf(hash)] = 1
      texts.add(text)
    },
    has: (hash: number, text: string, start: number, length: number): boolean =>
      mayHave[indexOf(hash)] === 1 && texts.has(text.slice(start, start + length))
  }
}
