import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { startScript } from "@secure-mcp/testing"
import {
  crashContract,
  EncryptedStore,
  encryptionContract,
  StoreProcesses
} from "@secure-mcp/token-cache/testing"
import { contentsOf, files, makeDirectory, openStore } from "./fileStores.ts"

const processes = Effect.map(makeDirectory, (directory) =>
  StoreProcesses.of({
    start: (task) => startScript(new URL("fileStoreCrash.ts", import.meta.url), directory, task),
    reopen: Effect.provide(openStore({ directory }), files)
  })
)

// A point starts a process and waits for it, so they wait together.
describe.concurrent("FileTokenStore when its process is killed", () => {
  for (const { effect, name } of crashContract)
    it.live(`the file store ${name}`, () =>
      effect.pipe(Effect.provideServiceEffect(StoreProcesses, processes), Effect.provide(files))
    )
})

const encrypted = Effect.map(makeDirectory, (directory) =>
  EncryptedStore.of({
    open: (keys) => Effect.provide(openStore({ directory, ...keys }), files),
    bytes: Effect.map(Effect.provide(contentsOf(directory), files), (contents) =>
      contents.flatMap(({ bytes, name }) => [new TextEncoder().encode(name), bytes])
    )
  })
)

describe("the encryption of FileTokenStore", () => {
  for (const { effect, name } of encryptionContract)
    it.effect(`the file store ${name}`, () =>
      effect.pipe(Effect.provideServiceEffect(EncryptedStore, encrypted), Effect.provide(files))
    )
})
