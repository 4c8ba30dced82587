import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import { expandHome } from "./text/ForeignReferences.ts"
import type { ForeignServer } from "./ForeignServer.ts"

/** The texts of the files that servers name in references and as `@path`, by absolute path; without those that cannot be read. */
export const readMentionedFiles = Effect.fnUntraced(function* (servers: ReadonlyArray<ForeignServer>) {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const texts = new Map<string, string>()
  for (const { directory, entry } of servers) {
    for (const name of namesIn(entry)) {
      const absolute = path.resolve(directory, expandHome(name))
      const text = yield* Effect.option(files.readFileString(absolute))
      if (text._tag === "Some" && text.value.length <= largest) texts.set(absolute, text.value)
    }
  }
  return texts
})

/** No secret and no description of a client is longer. */
const largest = 256 * 1024

const namesIn = (value: unknown): ReadonlyArray<string> => {
  if (typeof value === "string") {
    const references = [...value.matchAll(/\{file:([^{}]+)\}/g)].map(([, name = ""]) => name)
    return value.startsWith("@") && value.length > 1 ? [value.slice(1), ...references] : references
  }
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(namesIn) : []
}
