import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { TokenStore } from "@secure-mcp/token-cache"
import {
  crashContract,
  EncryptedStore,
  encryptionContract,
  leasesContract,
  MemoryTokenStore,
  StoreProcesses
} from "@secure-mcp/token-cache/testing"

const openMemory = Effect.map(Layer.build(MemoryTokenStore.layer), Context.get(TokenStore))

describe("the parts of the store contract", () => {
  for (const { effect, name } of leasesContract)
    it.effect(`the part about leases fails for a store that has none: ${name}`, () =>
      Effect.gen(function* () {
        const violation = yield* Effect.flip(Effect.provide(effect, TokenStore.none))
        assert.strictEqual(violation._tag, "ContractViolation")
      })
    )

  for (const { effect, name } of crashContract)
    it.live(`the part about crashes fails for a store in memory: ${name}`, () =>
      Effect.gen(function* () {
        const violation = yield* Effect.flip(
          Effect.provideService(effect, StoreProcesses, {
            start: () => Effect.succeed({ nextLine: Effect.succeed("1"), kill: Effect.void }),
            reopen: openMemory
          })
        )
        assert.strictEqual(violation._tag, "ContractViolation")
      })
    )

  for (const { effect, name } of encryptionContract)
    it.effect(`the part about encryption fails for a store that does not encrypt: ${name}`, () =>
      Effect.gen(function* () {
        const store = yield* openMemory
        const violation = yield* Effect.flip(
          Effect.provideService(effect, EncryptedStore, {
            open: ({ previousKeys }) =>
              // What was stored with another key seems to be gone.
              previousKeys === undefined ? Effect.succeed(store) : openMemory,
            bytes: Effect.map(store.list, (entries) =>
              entries.map(({ key }) => new TextEncoder().encode(JSON.stringify(key)))
            )
          })
        )
        assert.strictEqual(violation._tag, "ContractViolation")
      })
    )
})
