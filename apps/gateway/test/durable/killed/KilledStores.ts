import { RedisServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { existsSync } from "node:fs"
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createClient, RESP_TYPES } from "redis"

/** A store that processes are killed with; each scene has a place of its own in it. */
export interface KilledStore {
  readonly name: "files" | "Redis"
  readonly settings: (scene: string) => object
  /** What a killed process takes its steps at: a folder or a port. */
  readonly target: (scene: string) => string | number
  /** Everything that is stored, as it is stored. */
  readonly content: (scene: string) => Effect.Effect<ReadonlyArray<string>>
  /** The names of temporary files. */
  readonly leftovers: (scene: string) => Effect.Effect<ReadonlyArray<string>>
}

/** A process that was killed early has not made the folder. */
const filesOf = async (folder: string) =>
  !existsSync(folder)
    ? []
    : (await readdir(folder, { recursive: true, withFileTypes: true })).filter((one) => one.isFile())

export const makeFiles = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "killed-"))),
  (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }))
).pipe(
  Effect.map((root): KilledStore => {
    const folder = (scene: string) => join(root, scene)
    return {
      name: "files",
      settings: (scene) => ({ type: "file", directory: folder(scene) }),
      target: folder,
      content: (scene) =>
        Effect.promise(async () =>
          Promise.all(
            (await filesOf(folder(scene))).map((one) => readFile(join(one.parentPath, one.name), "latin1"))
          )
        ),
      leftovers: (scene) =>
        Effect.promise(async () =>
          (await filesOf(folder(scene))).map(({ name }) => name).filter((name) => name.startsWith("tmp-"))
        )
    }
  })
)

/** Its dumps are not compressed, so that a plain text in them could be found. */
export const makeRedis = Effect.fnUntraced(function* (program: string) {
  const redis = yield* RedisServer.make(program, { configuration: ["rdbcompression no"] })
  const client = yield* Effect.acquireRelease(
    Effect.promise(() => createClient({ url: redis.url }).connect()),
    (client) => Effect.sync(() => client.destroy())
  )
  const buffers = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer })
  return {
    name: "Redis",
    settings: (scene) => ({
      type: "redis",
      url: redis.url,
      key_prefix: scene,
      encryption_key: "a-good-key-of-32-characters-or-more"
    }),
    target: () => redis.port,
    content: (scene) =>
      Effect.promise(async () => {
        const keys = await client.keys(`{${scene}}*`)
        const dumps = await Promise.all(keys.map((key) => buffers.dump(key)))
        return dumps.map((dump) => String(dump?.toString("latin1")))
      }),
    leftovers: () => Effect.succeed([])
  } satisfies KilledStore
})
