/** A language needs these between letters: the joiners of Persian, Indic scripts and emoji. They reorder and hide nothing else. */
const joiners = "\u200C\u200D"

/**
 * Control characters (C0, DEL, C1), which a terminal obeys; format characters, which reorder or hide text; and the other
 * separators of lines. Line feeds and tabs are layout.
 */
const obeyed = new RegExp(`(?![\\n\\t${joiners}])[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}]`, "gu")

/**
 * A text for people, of which parts may come from a server, a child process or a file: what a terminal would obey instead of
 * showing it is written as `\u001b`. That is the escape of JSON, so JSON text keeps its meaning.
 */
export const visibleText = (text: string): string =>
  text.replaceAll("\r\n", "\n").replaceAll(obeyed, escapeCharacter)

const escapeCharacter = (character: string): string =>
  Array.from({ length: character.length }, (_, index) => character.charCodeAt(index))
    .map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`)
    .join("")
