import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import { importFiles } from "../../src/import/Import.ts"

/** Imports files that lie in one folder, by name; a string is the file's own text. */
export const importing = Effect.fnUntraced(function* (
  files: Readonly<Record<string, unknown>>,
  beside: Readonly<Record<string, string>> = {}
) {
  const system = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = yield* Effect.orDie(system.makeTempDirectoryScoped())
  const texts = Object.entries({ ...files, ...beside })
  for (const [name, content] of texts) {
    const text = typeof content === "string" ? content : JSON.stringify(content)
    yield* Effect.orDie(system.writeFileString(path.join(folder, name), text))
  }
  const imported = yield* importFiles(Object.keys(files).map((name) => path.join(folder, name)))
  return {
    ...imported,
    folder,
    variables: imported.variables.map(({ name }) => name),
    everything: JSON.stringify([
      imported.document,
      imported.remarks,
      imported.variables.map(({ name }) => name)
    ])
  }
})

/** What becomes of one server of an MCP client. */
export const importingOne = Effect.fnUntraced(function* (
  entry: unknown,
  beside: Readonly<Record<string, string>> = {}
) {
  const imported = yield* importing({ "mcp.json": { mcpServers: { notes: entry } } }, beside)
  const [server] = imported.document.servers
  return { ...imported, server: { ...server, server_name: undefined } }
})

/** An entry that logs a person in. */
export const loggingIn = (url: string, oauth: object = {}, config: object = {}) => ({
  server_name: undefined,
  config: { url, ...config },
  oauth: { enabled: true, grant_type: "authorization_code", ...oauth }
})

/** An entry without `oauth`. */
export const without = (config: object) => ({ server_name: undefined, config })
