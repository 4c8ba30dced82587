/** A part of a text. */
export interface Place {
  readonly start: number
  /** Exclusive. */
  readonly end: number
}

/** How many characters in a row a text may share with a secret by chance. One more tells of the secret. */
const runLength = 8

/** The end of a secret that masked forms show, as in `****abcd`. A shorter one may be any word. */
const shownLength = 3

/** More of a secret than this is not shown before or behind a mask. */
const longestShown = 64

/**
 * Makes a function that finds parts of secrets in a text: eight or more characters in a row that a secret has, too, and
 * masked forms such as `sk_live_****abcd`, which show its beginning or its end. Takes time in proportion to the length of
 * the secrets and the text. Both must be in lower case.
 *
 * @param forms the secrets, in every encoding
 */
export const makePartFinder = (forms: Iterable<string>): ((text: string) => ReadonlyArray<Place>) => {
  const runs = new Set<string>()
  const beginnings = new Set<string>()
  const ends = new Set<string>()
  for (const form of forms) {
    if (form.length < runLength) continue
    for (let start = 0; start + runLength <= form.length; start += 1)
      runs.add(form.slice(start, start + runLength))
    for (let length = 1; length <= Math.min(longestShown, form.length); length += 1) {
      beginnings.add(form.slice(0, length))
      ends.add(form.slice(-length))
    }
  }
  return (text) => (runs.size === 0 ? [] : [...findRuns(text, runs), ...findMasked(text, beginnings, ends)])
}

const findRuns = (text: string, runs: ReadonlySet<string>): ReadonlyArray<Place> => {
  const places: Array<Place> = []
  for (let start = 0; start + runLength <= text.length; start += 1) {
    if (!runs.has(text.slice(start, start + runLength))) continue
    const last = places.at(-1)
    // Runs that begin one after the other are one part.
    if (last !== undefined && start === last.end - runLength + 1)
      places[places.length - 1] = { ...last, end: last.end + 1 }
    else places.push({ start, end: start + runLength })
  }
  return places
}

/** What programs put in the place of characters. */
const masks = /[*#]{2,}|\.{3,}|x{4,}/g

const findMasked = (
  text: string,
  beginnings: ReadonlySet<string>,
  ends: ReadonlySet<string>
): ReadonlyArray<Place> =>
  [...text.matchAll(masks)].flatMap(({ 0: mask, index }) => {
    const maskEnd = index + mask.length
    const before = longest((length) => beginnings.has(text.slice(Math.max(0, index - length), index)))
    const behind = longest((length) => ends.has(text.slice(maskEnd, maskEnd + length)))
    return Math.max(before, behind) < shownLength
      ? []
      : [{ start: Math.max(0, index - before), end: Math.min(text.length, maskEnd + behind) }]
  })

const longest = (matches: (length: number) => boolean): number => {
  for (let length = longestShown; length > 0; length -= 1) if (matches(length)) return length
  return 0
}
