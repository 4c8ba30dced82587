import type { Plugin } from "rolldown"

/**
 * Writes characters that are not ASCII as escapes. Of a file with a single one beyond Latin-1, Node keeps two bytes for each
 * character in memory, as long as it runs.
 */
export const asciiText = (): Plugin => ({
  name: "ascii-text",
  generateBundle: (_options, bundle) => {
    for (const file of Object.values(bundle))
      if (file.type === "chunk") file.code = file.code.replaceAll(/[^\0-\x7f]/g, escaped)
  }
})

const escaped = (character: string): string =>
  Array.from(
    { length: character.length },
    (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`
  ).join("")
