import { readFileSync } from "node:fs"

/** The packages that a program names, as `@secure-mcp/oauth-client` of `@secure-mcp/oauth-client/mcp`. */
export const packagesIn = (text: string): ReadonlyArray<string> => {
  const specifiers = [...text.matchAll(/(?:from|import\(|require\()\s*"([^"]+)"/g)].map(
    ([, name = ""]) => name
  )
  const packages = specifiers
    .filter((specifier) => !specifier.startsWith("node:"))
    .map((specifier) =>
      specifier
        .split("/")
        .slice(0, specifier.startsWith("@") ? 2 : 1)
        .join("/")
    )
  return [...new Set(packages)].toSorted()
}

/** How many lines a program has. */
export const linesOf = (file: string): number => readFileSync(file, "utf8").split("\n").length - 1
