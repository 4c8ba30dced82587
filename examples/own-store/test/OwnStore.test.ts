import { assert, describe, it } from "@effect/vitest"
import { Answer, StubAuthorizationServer } from "@secure-mcp/testing"
import { UnleasedTokenStore } from "@secure-mcp/token-cache"
import { tokenStoreContract } from "@secure-mcp/token-cache/testing"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Redacted from "effect/Redacted"
import { execFile } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { keyValueTokenStore } from "../src/KeyValueTokenStore.ts"

const storeKey = "a key of thirty-two characters!!"

const store = UnleasedTokenStore.forOneProcess.pipe(
  Layer.provide(keyValueTokenStore({ encryptionKey: Redacted.make(storeKey) })),
  Layer.provide(KeyValueStore.layerMemory)
)

describe("the example of an own store", () => {
  it.effect.each([...tokenStoreContract])("the own store $name", ({ effect }) =>
    Effect.map(Effect.provide(effect, store), (outcome) => assert.isUndefined(outcome))
  )

  it.live("the example finds its token again after a restart, and keeps it encrypted", () =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      yield* server.always("/token", Answer.token({ access_token: "the-access-token", expires_in: 3600 }))
      const directory = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "own-store-"))),
        (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
      )
      const run = runExample(directory, {
        TOKEN_URL: server.endpoint("/token"),
        CLIENT_ID: "client",
        CLIENT_SECRET: "secret",
        STORE_KEY: storeKey
      })
      assert.include(yield* run, "Got a new token")
      assert.include(yield* run, "Got a token from the store")
      assert.lengthOf(yield* server.requests, 1)
      const files = readdirSync(join(directory, "tokens"))
      assert.lengthOf(files, 1)
      assert.notInclude(readFileSync(join(directory, "tokens", files[0] ?? ""), "utf8"), "the-access-token")
    })
  )
})

const runExample = (cwd: string, environment: Readonly<Record<string, string>>) =>
  Effect.callback<string>((resume) => {
    const main = resolve(import.meta.dirname, "../src/main.ts")
    const options = { cwd, env: { ...process.env, ...environment } }
    execFile(process.execPath, ["--conditions=@secure-mcp/source", main], options, (error, stdout, stderr) =>
      resume(error === null ? Effect.succeed(stdout) : Effect.die(stdout + stderr))
    )
  })
