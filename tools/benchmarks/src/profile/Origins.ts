import { existsSync, readFileSync } from "node:fs"
import { SourceMap } from "node:module"
import { dirname, relative, resolve } from "node:path"
import { fileURLToPath } from "node:url"

/** Where code of a bundle comes from, by the source maps next to it. */
export class Origins {
  readonly #maps = new Map<string, SourceMap | undefined>()

  /** The file, relative to the repository where it is in it, and the line, counted from 1. */
  placeOf(url: string, line: number, column: number): string {
    if (!url.startsWith("file:")) return `${url}:${line + 1}`
    const file = fileURLToPath(url)
    const entry = this.#mapOf(file)?.findEntry(line, column)
    return entry !== undefined && "originalSource" in entry
      ? `${shorten(resolve(dirname(file), entry.originalSource))}:${entry.originalLine + 1}`
      : `${shorten(file)}:${line + 1}`
  }

  #mapOf(file: string): SourceMap | undefined {
    if (!this.#maps.has(file))
      this.#maps.set(
        file,
        existsSync(`${file}.map`) ? new SourceMap(JSON.parse(readFileSync(`${file}.map`, "utf8"))) : undefined
      )
    return this.#maps.get(file)
  }
}

const repository = fileURLToPath(new URL("../../../..", import.meta.url))

const shorten = (file: string): string => relative(repository, file).replace(/^.*node_modules\//, "")
