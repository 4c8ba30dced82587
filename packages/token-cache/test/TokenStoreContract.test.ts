import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { OAuthToken, StoreUnavailable, type TokenKey } from "@secure-mcp/oauth-core"
import { absent, tokenOfEntry, TokenStore } from "@secure-mcp/token-cache"
import { tokenStoreContract, MemoryTokenStore } from "@secure-mcp/token-cache/testing"

type Store = TokenStore["Service"]

/** The memory store with one thing done wrong, and the point that has to notice. */
const brokenStores: ReadonlyArray<readonly [string, string, (store: Store) => Store]> = [
  [
    "joins the parts of a key with colons",
    "keeps apart keys that differ in any part, whatever they contain",
    (store) => {
      const joined = (key: TokenKey): TokenKey => ({
        ...key,
        projectId: `${key.projectId}:${key.configId}:${key.serverName}`,
        configId: "",
        serverName: ""
      })
      return {
        ...store,
        get: (key) => store.get(joined(key)),
        set: (key, token, timeToLive) => store.set(joined(key), token, timeToLive),
        remove: (key) => store.remove(joined(key))
      }
    }
  ],
  [
    "never forgets",
    "forgets a token when its time to live is over, and not before",
    (store) => ({ ...store, set: (key, token) => store.set(key, token, Duration.infinity) })
  ],
  [
    "forgets too early",
    "forgets a token when its time to live is over, and not before",
    (store) => ({ ...store, set: (key, token) => store.set(key, token, Duration.millis(400)) })
  ],
  [
    "drops the refresh token",
    "gives back every field of a token",
    (store) => ({
      ...store,
      set: (key, token, timeToLive) => {
        const { refreshToken: _, ...fields } = token
        return store.set(key, new OAuthToken(fields), timeToLive)
      }
    })
  ],
  [
    "keeps the first token",
    "replaces the token of a key, and its time to live",
    (store) => ({
      ...store,
      set: (key, token, timeToLive) =>
        Effect.flatMap(store.get(key), (entry) =>
          entry._tag === "Stored" ? Effect.succeed(entry.revision) : store.set(key, token, timeToLive)
        )
    })
  ],
  [
    "gives a removed token to everyone",
    "gives a removed token to one caller only and keeps it no longer",
    (store) => ({
      ...store,
      remove: (key) =>
        Effect.gen(function* () {
          const entry = yield* store.get(key)
          yield* Effect.yieldNow
          yield* store.remove(key)
          return tokenOfEntry(entry)
        })
    })
  ],
  [
    "reveals secrets",
    "shows no secret when its tokens are printed",
    (store) => ({
      ...store,
      get: (key) =>
        Effect.tap(store.get(key), (entry) => {
          const token = tokenOfEntry(entry)
          return Effect.sync(
            () => token && Object.assign(token, { toJSON: () => Redacted.value(token.accessToken) })
          )
        })
    })
  ],
  [
    "is never ready to be written",
    "says that it can be written, and can",
    (store) => ({ ...store, checkWritable: Effect.fail(new StoreUnavailable({ problem: "full" })) })
  ],
  [
    "forgets that it removed a token",
    "tells that a token was removed, with a number above every lease given before",
    (store) => ({
      ...store,
      get: (key) => Effect.map(store.get(key), (entry) => (entry._tag === "Removed" ? absent : entry))
    })
  ],
  [
    "takes what was never there for removed",
    "does not take a token that it never had for a removed one",
    (store) => ({
      ...store,
      get: (key) =>
        Effect.map(store.get(key), (entry) =>
          entry._tag === "Absent" ? { _tag: "Removed", revision: 1, removedAt: 0 } : entry
        )
    })
  ],
  [
    "compares access tokens only",
    "tells tokens apart that differ in the refresh token only",
    (store) => ({
      ...store,
      lease: (key, timeToLive) =>
        Effect.map(
          store.lease(key, timeToLive),
          (lease) => lease && { ...lease, remove: () => Effect.asVoid(store.remove(key)) }
        )
    })
  ],
  [
    "fails",
    "knows nothing of a key that was never set",
    (store) => ({ ...store, get: () => Effect.fail(new StoreUnavailable({ problem: "gone" })) })
  ]
]

describe("tokenStoreContract", () => {
  for (const [fault, name, breaking] of brokenStores)
    it.effect(`the store contract finds a store that ${fault}`, () =>
      Effect.gen(function* () {
        const point = tokenStoreContract.find((candidate) => candidate.name === name)
        assert.isDefined(point)
        const broken = Layer.effect(TokenStore, Effect.map(TokenStore, breaking))
        const store = Layer.provide(broken, MemoryTokenStore.layer)
        const violation = yield* Effect.flip(Effect.provide(point.effect, store))
        assert.strictEqual(violation._tag, "ContractViolation")
      })
    )
})
