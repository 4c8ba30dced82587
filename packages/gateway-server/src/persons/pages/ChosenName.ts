import { escapeHtml } from "../../login/BrowserPage.ts"

/** In characters. Nobody needs a longer name to know what it stands for. */
const longestName = 200

const shown = new RegExp(`^[^]{0,${longestName}}`, "u")

/** More marks on one letter than any language has would be drawn over the lines around it. */
const piledMarks = /(\p{M}{6})\p{M}+/gu

/**
 * A name that others chose, as HTML: cut, escaped, and in `bdi`, so that one that is written from right to left turns no
 * other word around.
 */
export const chosenName = (name: string): string => {
  const [start = ""] = shown.exec(name) ?? []
  if (start.trim() === "") return "(a name without letters)"
  const text = start.replaceAll(piledMarks, "$1")
  return `<bdi>${escapeHtml(start.length < name.length ? `${text}…` : text)}</bdi>`
}

/** What an MCP client calls itself. Anybody can call a client so: the quotation marks say that it is a quotation. */
export const clientName = (name: string | undefined): string =>
  name === undefined ? "A client that gave no name" : `A client that calls itself “${chosenName(name)}”`
