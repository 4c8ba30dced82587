import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import { TokenStore } from "@secure-mcp/token-cache"
import { MemoryTokenStore } from "@secure-mcp/token-cache/testing"
import { Answer, canary, findCanaries } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { errorOf, makeClient, makeServers } from "./Servers.ts"

const makeDirectory = FileSystem.FileSystem.use((files) => files.makeTempDirectoryScoped()).pipe(
  Effect.provide(NodeFileSystem.layer)
)

describe("the store of a client", () => {
  it.live("tokens in files outlive the client, encrypted", () =>
    Effect.gen(function* () {
      const { options, server } = yield* makeServers
      const directory = yield* makeDirectory
      const secret = canary("access-token")
      yield* server.always("/token", Answer.token({ access_token: secret, expires_in: 3600 }))
      const store = { type: "file", directory } as const
      const first = yield* makeClient({ ...options, store })
      const token = yield* Effect.promise(() => first.getAccessToken())
      yield* Effect.promise(() => first.close())
      const files = yield* FileSystem.FileSystem.use((fs) =>
        Effect.flatMap(fs.readDirectory(directory), (names) =>
          Effect.forEach(
            names.filter((name) => name.endsWith(".token")),
            (name) => fs.readFile(`${directory}/${name}`)
          )
        )
      ).pipe(Effect.provide(NodeFileSystem.layer))
      assert.lengthOf(files, 1)
      for (const file of files) assert.isEmpty(findCanaries(Buffer.from(file).toString("latin1"), [token]))
      const second = yield* makeClient({ ...options, store })
      assert.strictEqual(yield* Effect.promise(() => second.getAccessToken()), token)
      assert.lengthOf(yield* server.requests, 1)
    })
  )

  it.live("a store that is away is an error, and the next call tries it again", () =>
    Effect.gen(function* () {
      const { options } = yield* makeServers
      const directory = yield* makeDirectory
      const place = `${directory}/tokens`
      const files = yield* Effect.provide(FileSystem.FileSystem, NodeFileSystem.layer)
      yield* files.writeFileString(place, "a file where the folder is to be")
      const client = yield* makeClient({ ...options, store: { type: "file", directory: place } })
      const error = yield* errorOf(() => client.getAccessToken())
      assert.deepStrictEqual([error.reason, error.retryable], ["StoreUnavailable", true])
      yield* files.remove(place)
      assert.strictEqual(yield* Effect.promise(() => client.getAccessToken()), "token-1")
    })
  )

  it.live("any layer with a TokenStore will do", () =>
    Effect.gen(function* () {
      const { options } = yield* makeServers
      const shared = yield* Layer.build(MemoryTokenStore.layer)
      const store = Layer.effectContext(Effect.succeed(shared))
      const first = yield* makeClient({ ...options, store })
      const token = yield* Effect.promise(() => first.getAccessToken())
      const second = yield* makeClient({ ...options, store })
      assert.strictEqual(yield* Effect.promise(() => second.getAccessToken()), token)
      const stored = yield* TokenStore.use(({ list }) => list).pipe(Effect.provideContext(shared))
      assert.lengthOf(stored, 1)
    })
  )
})
