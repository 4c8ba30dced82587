export interface EncodedCanary {
  readonly encoding: string
  /** Already compact, and in lower case when `foldsCase`. */
  readonly needle: string
  readonly foldsCase: boolean
}

/** The shapes a secret can take, without those that are the same text. */
export const encodingsOf = (canary: string): ReadonlyArray<EncodedCanary> => {
  const form = new URLSearchParams([["", canary]]).toString().slice(1)
  return distinct([
    exact("plain text", canary),
    folded("form encoding", form),
    folded("hex", Buffer.from(canary).toString("hex")),
    ...base64Forms("base64", canary),
    // RFC 6749 §2.3.1: Basic credentials are form-encoded first.
    ...base64Forms("base64 of the form encoding", form)
  ])
}

/**
 * Removes what line wrapping and escaping put into a text: whitespace, backslashes, escaped line ends, and the
 * seams where `util.inspect` breaks a long string. Needle and haystack both go through it, so however often a
 * value was escaped, it compares equal.
 */
export const compact = (text: string): string =>
  text
    .replace(/['"`][^\S\n]*\+[^\S\n]*\n\s*['"`]/g, "")
    .replace(/\s/g, "")
    .replace(/\\+[nrt]?/g, "")

/** The text with every percent-encoded byte decoded, whichever of them the encoder chose to encode. */
export const percentDecoded = (text: string): string =>
  text.replace(/(?:%[0-9a-f]{2})+/gi, (run) => Buffer.from(run.replaceAll("%", ""), "hex").toString())

const exact = (encoding: string, value: string): EncodedCanary => ({
  encoding,
  needle: compact(value),
  foldsCase: false
})

const folded = (encoding: string, value: string): EncodedCanary => ({
  encoding,
  needle: compact(value).toLowerCase(),
  foldsCase: true
})

/**
 * Base64 of a value inside something longer depends on where the value begins modulo 3. For each of the three,
 * these are the digits that only the value determines, so that no neighbour can hide it.
 */
const base64Forms = (encoding: string, value: string): ReadonlyArray<EncodedCanary> =>
  [0, 1, 2].flatMap((shift) => {
    const bytes = Buffer.concat([Buffer.alloc(shift), Buffer.from(value)])
    const first = Math.ceil((shift * 8) / 6)
    const end = Math.floor((bytes.length * 8) / 6)
    const digits = bytes.toString("base64").slice(first, end)
    const urlDigits = bytes.toString("base64url").slice(first, end)
    return [exact(encoding, digits), exact(encoding.replace("base64", "base64url"), urlDigits)]
  })

const distinct = (encodings: ReadonlyArray<EncodedCanary>) => {
  const seen = new Set<string>()
  return encodings.filter(({ needle }) => {
    const key = needle.toLowerCase()
    return seen.has(key) ? false : seen.add(key)
  })
}
