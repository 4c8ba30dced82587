/** A position in a text; both numbers start at 1. */
export interface TextPosition {
  readonly line: number
  readonly column: number
}

/**
 * The position of the first character that cannot belong to valid JSON. Found by a binary search over the beginnings of
 * the text: the parser's own message gives no position for most errors and quotes the text, which may be a secret.
 */
export const syntaxErrorPosition = (text: string): TextPosition => {
  let valid = 0
  let invalid = text.length + 1
  while (invalid - valid > 1) {
    const middle = (valid + invalid) >> 1
    if (isBeginning(text.slice(0, middle))) valid = middle
    else invalid = middle
  }
  const before = text.slice(0, valid).split("\n")
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 }
}

/** Whether a text is JSON, or the beginning of some: then the parser's error is at the end of the text. */
const isBeginning = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch (cause) {
    const message = String(cause)
    return message.includes("end of JSON input") || message.includes(`at position ${text.length} (`)
  }
}
