import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { TokenCache } from "@secure-mcp/oauth-core"
import { SingleFlightTokenCache, TokenStore } from "@secure-mcp/token-cache"
import {
  crashContract,
  EncryptedStore,
  encryptionContract,
  leasesContract,
  MemoryTokenStore,
  renewThroughOutage,
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

  it.live("the part about outages fails for a store that gives a lease to everybody", () =>
    Effect.gen(function* () {
      const store = yield* openMemory
      let number = 1_000_000
      const everybody = TokenStore.of({
        ...store,
        lease: (key) =>
          Effect.map(store.get(key), (found) => ({
            found,
            revision: (number += 1),
            renew: Effect.succeed(true),
            set: (token, life) => Effect.as(store.set(key, token, life), true),
            remove: () => Effect.asVoid(store.remove(key)),
            release: Effect.void
          }))
      })
      const caches = yield* Effect.forEach([1, 2, 3], () =>
        Effect.map(
          Layer.build(
            Layer.provide(Layer.fresh(SingleFlightTokenCache.layer), Layer.succeed(TokenStore, everybody))
          ),
          Context.get(TokenCache)
        )
      )
      const violation = yield* Effect.flip(renewThroughOutage(caches, Effect.void))
      assert.match(violation.problem, /lets a refresh token be sent twice|has lost a grant/)
    })
  )
})
