import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import { type FileTokenStoreOptions, TokenStore, FileTokenStore } from "@secure-mcp/token-cache"

/** The real file system. */
export const files = Layer.mergeAll(NodeFileSystem.layer, NodePath.layer)

/** A folder of its own for a test, gone afterwards. */
export const makeDirectory = Effect.flatMap(FileSystem.FileSystem, (fs) =>
  Effect.map(fs.makeTempDirectoryScoped(), (parent) => `${parent}/state/tokens`)
)

/** A store, opened as a process of its own would. */
export const openStore = (options: FileTokenStoreOptions) =>
  Effect.map(Layer.build(FileTokenStore.layer(options)), Context.get(TokenStore))

/** A store in a folder of its own. */
export const layerStore = (options: FileTokenStoreOptions = {}) =>
  Layer.unwrap(
    Effect.map(makeDirectory, (directory) => FileTokenStore.layer({ directory, ...options }))
  ).pipe(Layer.provide(files), Layer.orDie)

/** 64 characters that nobody guesses. */
export const secretOf = (seed: string) => Redacted.make(`${seed}-0123456789abcdefghijklmnopqrstuvwxyz`)

/** The names in a folder, without the key file and the folder of the leases. */
export const namesIn = (directory: string) =>
  Effect.map(
    FileSystem.FileSystem.use((fs) => fs.readDirectory(directory)),
    (names) => names.filter((name) => name !== "key" && name !== "leases").toSorted()
  )

/** The path of the only token file in a folder. */
export const onlyFile = (directory: string) =>
  Effect.flatMap(namesIn(directory), ([name, ...more]) =>
    name === undefined || more.length > 0
      ? Effect.die(new Error("There is not exactly one token file"))
      : Effect.succeed(`${directory}/${name}`)
  )

/** Everything that is in the files of a folder, and of the folders in it. */
export const contentsOf = (directory: string) =>
  FileSystem.FileSystem.use(
    Effect.fnUntraced(function* (fs) {
      const names = yield* fs.readDirectory(directory, { recursive: true })
      const files = yield* Effect.filter(names.toSorted(), (name) =>
        Effect.map(fs.stat(`${directory}/${name}`), ({ type }) => type === "File")
      )
      return yield* Effect.forEach(files, (name) =>
        Effect.map(fs.readFile(`${directory}/${name}`), (bytes) => ({ name, bytes }))
      )
    })
  )

/** Writes log lines down. */
export const recordLog = () => {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => {
    lines.push(`${logLevel} ${String(message)}`)
  })
  return { lines, layer: Logger.layer([logger]) }
}
