import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, beforeAll, describe, it } from "@effect/vitest"
import {
  freePort,
  postgresProgram,
  PostgresServer,
  redisProgram,
  RedisServer,
  requireProgram
} from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { startCompanyPeople } from "./CompanyPeople.ts"

const encryptionKey = "a key of the tests, long enough for AES"

const makeDirectory = FileSystem.FileSystem.use((files) => files.makeTempDirectoryScoped())

describe("a login that begins at one instance and ends at another", () => {
  let redis: string | undefined
  let postgres: string | undefined
  beforeAll(() => {
    redis = requireProgram(redisProgram)
    postgres = requireProgram(postgresProgram)
  })

  const stores = {
    files: Effect.map(makeDirectory, (directory) => ({ type: "file", directory })),
    sqlite: Effect.map(makeDirectory, (directory) => ({ type: "sqlite", url: `${directory}/tokens.db` })),
    redis: Effect.gen(function* () {
      if (redis === undefined) return undefined
      const { url } = yield* RedisServer.make(redis)
      return { type: "redis", url, encryption_key: encryptionKey }
    }),
    postgres: Effect.gen(function* () {
      if (postgres === undefined) return undefined
      const { url } = yield* PostgresServer.make(postgres)
      return { type: "postgres", url, encryption_key: encryptionKey }
    })
  }
  const names = ["files", "sqlite", "redis", "postgres"] as const

  for (const name of names)
    it.effect(`a login that the first instance began ends at the second one, with ${name}`, (test) =>
      Effect.gen(function* () {
        const store = yield* stores[name]
        if (store === undefined) return test.skip(`there is no ${name}`)
        const ports = [yield* freePort, yield* freePort]
        const publicUrl = `http://127.0.0.1:${ports[1]}`
        const { browser, call, colleague, remote } = yield* startCompanyPeople({
          place: { publicUrl, ports },
          store
        })
        const ada = yield* colleague("ada")
        // The client asks the first instance. All that a browser opens comes from the second one.
        const { link = "" } = yield* call(ada)
        assert.isTrue(link.startsWith(`${publicUrl}/me/links/`), link)
        assert.include((yield* browser().goAs("ada", link)).text, "Logged in")
        assert.lengthOf(yield* remote.authorizationServer.tokenRequests, 1)
        assert.strictEqual((yield* call(ada)).status, 200)
      }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
    )
})
