/** The known name a reader most likely meant when they wrote `unknown`, if any is near enough to be a typo. */
export const closestName = (unknown: string, known: Iterable<string>): string | undefined => {
  let best: string | undefined
  let bestDistance = Math.max(2, Math.floor(unknown.length / 3)) + 1
  const wanted = normalise(unknown)
  for (const name of known) {
    const candidate = normalise(name)
    // The distance is at least the difference in length: no long name is compared letter by letter.
    if (Math.abs(wanted.length - candidate.length) >= bestDistance) continue
    const distance = editDistance(wanted, candidate)
    if (distance < bestDistance) {
      best = name
      bestDistance = distance
    }
  }
  return best
}

/** camelCase and kebab-case spellings of a snake_case name are the commonest slips. */
const normalise = (name: string): string => name.toLowerCase().replaceAll(/[-_]/g, "")

/** Levenshtein distance, one row at a time. */
const editDistance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
