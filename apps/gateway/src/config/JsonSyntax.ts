/** A place in a text, both counted from 1. */
export interface TextPosition {
  readonly line: number
  readonly column: number
}

/**
 * Where a text stops being JSON: the first character that no continuation could make valid. Found by asking the
 * parser about beginnings of the text, because its own message names no place for most errors, and quotes the text
 * around them, which may be a secret.
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

/** Whether a text is JSON or could become so: then the parser misses something at its very end. */
const isBeginning = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch (cause) {
    const message = String(cause)
    return message.includes("end of JSON input") || message.includes(`at position ${text.length} (`)
  }
}
