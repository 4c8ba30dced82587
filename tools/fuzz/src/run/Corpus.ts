import { createHash } from "node:crypto"
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

/** An input of a target that once broke an invariant. */
export interface KeptInput {
  readonly target: string
  readonly file: string
  readonly input: unknown
}

/** The inputs that were found and mended. */
export const corpus = fileURLToPath(new URL("../../corpus", import.meta.url))

/** Where a run keeps the inputs that broke an invariant. */
export const findings = fileURLToPath(new URL("../../dist/findings", import.meta.url))

/** The inputs below a directory: a folder for each target, a JSON file for each input. */
export const readCorpus = (directory: string): ReadonlyArray<KeptInput> =>
  readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".json"))
    .map(({ name, parentPath }) => readInput(join(parentPath, name)))

/** The input in a file, for the target that its folder is named after. */
export const readInput = (file: string): KeptInput => ({
  target: file.split(/[/\\]/).at(-2) ?? "",
  file,
  input: JSON.parse(readFileSync(file, "utf8"))
})

/** Writes an input below a directory; gives its file. */
export const keepInput = (directory: string, target: string, input: unknown): string => {
  const text = `${JSON.stringify(input, undefined, 2)}\n`
  const file = join(directory, target, `${createHash("sha256").update(text).digest("hex").slice(0, 12)}.json`)
  mkdirSync(join(directory, target), { recursive: true })
  writeFileSync(file, text)
  return file
}
