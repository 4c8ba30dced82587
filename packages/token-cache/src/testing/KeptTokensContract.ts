import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { OAuthToken, tokenKeyString, type TokenKey } from "@secure-mcp/oauth-core"
import {
  aboutKey,
  contractPoint,
  expect,
  expectToken,
  fieldsOf,
  keyNamed,
  pass,
  type ContractPoint
} from "./ContractPoint.ts"
import { accessToken, full, long, numbered, plain, refreshToken, short, spent } from "./ContractTokens.ts"
import { tokenOfEntry } from "../store/StoreEntry.ts"
import type { TokenStore } from "../store/TokenStore.ts"

const base = keyNamed("a")
const lookalikes: ReadonlyArray<TokenKey> = [
  base,
  { ...base, projectId: "token-store-contract:default", configId: "" },
  { ...base, projectId: "token-store-contract", configId: ":default" },
  { ...base, configId: "default:a", serverName: "" },
  { ...base, serverName: "A" },
  { ...base, serverName: "a*" },
  { ...base, serverName: "../a" },
  { ...base, serverName: 'a","b' },
  { ...base, subject: "" },
  { ...base, subject: "null" },
  { ...base, subject: "undefined" },
  { ...base, subject: "jörg@example.com" },
  { ...base, fingerprint: "1".repeat(64) }
]

const listed = (store: TokenStore["Service"], key: TokenKey) =>
  Effect.map(store.list, (entries) =>
    entries.filter((entry) => tokenKeyString(entry.key) === tokenKeyString(key))
  )

/**
 * What every store has to do: keep tokens, apart from each other and for their time, and give them back as they are. It
 * is the part that a store without leases (`UnleasedTokenStore`) fulfils, too. Used as `tokenStoreContract`, which
 * contains it.
 */
export const keptTokensContract: ReadonlyArray<ContractPoint> = [
  aboutKey("knows nothing of a key that was never set", "never", (store, key) =>
    Effect.gen(function* () {
      yield* expectToken(yield* store.get(key), undefined)
      yield* expectToken(yield* store.remove(key), undefined)
      yield* expect((yield* listed(store, key)).length === 0, "lists a token that was never set")
    })
  ),
  aboutKey("gives back every field of a token", "full", (store, key) =>
    Effect.gen(function* () {
      yield* store.set(key, full, long)
      yield* expectToken(yield* store.get(key), full)
      yield* expectToken(yield* store.get(key), full)
    })
  ),
  aboutKey("gives back a long token that has only the necessary fields", "plain", (store, key) =>
    Effect.gen(function* () {
      yield* store.set(key, plain, long)
      yield* expectToken(yield* store.get(key), plain)
    })
  ),
  aboutKey("gives back a token that must not be served again as such", "spent", (store, key) =>
    Effect.gen(function* () {
      yield* store.set(key, spent, Duration.infinity)
      yield* expectToken(yield* store.get(key), spent)
    })
  ),
  aboutKey("replaces the token of a key, and its time to live", "replaced", (store, key) =>
    Effect.gen(function* () {
      yield* store.set(key, full, short)
      yield* store.set(key, plain, long)
      yield* pass(short)
      yield* expectToken(yield* store.get(key), plain)
      yield* expect((yield* listed(store, key)).length === 1, "does not list a replaced token exactly once")
    })
  ),
  aboutKey("keeps one whole token when two are set at once", "contended", (store, key) =>
    Effect.gen(function* () {
      const both = [full, plain]
      yield* Effect.forEach(both, (token) => store.set(key, token, long), { concurrency: "unbounded" })
      const winner = tokenOfEntry(yield* store.get(key))
      yield* expect(winner !== undefined, "loses both of two tokens that are set at once")
      if (winner === undefined) return
      const candidates = yield* Effect.forEach(both, fieldsOf)
      yield* expect(candidates.includes(yield* fieldsOf(winner)), "mixes two tokens that are set at once")
    })
  ),
  contractPoint("keeps apart keys that differ in any part, whatever they contain", lookalikes, (store) =>
    Effect.gen(function* () {
      for (const [index, key] of lookalikes.entries()) yield* store.set(key, numbered(index), long)
      for (const [index, key] of lookalikes.entries()) {
        yield* expectToken(yield* store.get(key), numbered(index))
        const [entry, ...more] = yield* listed(store, key)
        yield* expect(entry !== undefined && more.length === 0, "does not list each key exactly once")
        yield* expectToken(entry?.token, numbered(index))
      }
      yield* store.remove(base)
      for (const [index, key] of lookalikes.entries())
        yield* expectToken(yield* store.get(key), key === base ? undefined : numbered(index))
    })
  ),
  aboutKey("forgets a token when its time to live is over, and not before", "expiring", (store, key) =>
    Effect.gen(function* () {
      yield* store.set(key, full, short)
      yield* pass(Duration.millis(500))
      yield* expectToken(yield* store.get(key), full)
      yield* expect((yield* listed(store, key)).length === 1, "does not list a token that it keeps")
      yield* pass(Duration.millis(1500))
      yield* expectToken(yield* store.get(key), undefined)
      yield* expect((yield* listed(store, key)).length === 0, "lists a token whose time to live is over")
      yield* expectToken(yield* store.remove(key), undefined)
    })
  ),
  aboutKey("goes by the time to live, not by the expiry of the access token", "outliving", (store, key) =>
    Effect.gen(function* () {
      const expired = new OAuthToken({ ...full, issuedAt: 0, expiresAt: 0 })
      yield* store.set(key, expired, Duration.infinity)
      yield* pass(short)
      yield* expectToken(yield* store.get(key), expired)
    })
  ),
  aboutKey("gives a removed token to one caller only and keeps it no longer", "removed", (store, key) =>
    Effect.gen(function* () {
      yield* store.set(key, full, long)
      const removed = yield* Effect.all([store.remove(key), store.remove(key)], { concurrency: "unbounded" })
      const given = removed.filter((token) => token !== undefined)
      yield* expect(given.length === 1, "gives a removed token to none or both of two callers")
      yield* expectToken(given[0], full)
      yield* expectToken(yield* store.get(key), undefined)
      yield* expect((yield* listed(store, key)).length === 0, "lists a removed token")
    })
  ),
  aboutKey("keeps a token that is set again after its removal", "again", (store, key) =>
    Effect.gen(function* () {
      yield* store.set(key, full, long)
      yield* store.remove(key)
      yield* store.set(key, plain, long)
      yield* expectToken(yield* store.get(key), plain)
    })
  ),
  aboutKey("says that it can be written, and can", "writable", (store, key) =>
    Effect.gen(function* () {
      yield* store.checkWritable
      yield* expect((yield* listed(store, key)).length === 0, "lists a token that was never set")
      yield* store.set(key, full, long)
      yield* expectToken(yield* store.get(key), full)
    })
  ),
  aboutKey("shows no secret when its tokens are printed", "printed", (store, key) =>
    Effect.gen(function* () {
      yield* store.set(key, full, long)
      const shown = [yield* store.get(key), yield* store.list, yield* store.remove(key)]
      const text = shown.map((value) => `${String(value)} ${JSON.stringify(value)}`).join("\n")
      const secret = [accessToken, refreshToken].some((value) => text.includes(value))
      yield* expect(!secret, "shows a secret when its tokens are printed")
    })
  ),
  contractPoint("does not take a token that it never had for a removed one", [], (store) =>
    Effect.gen(function* () {
      const entry = yield* store.get(keyNamed(`never-${crypto.randomUUID()}`))
      yield* expect(entry._tag === "Absent", "tells that a token was removed which it never had")
    })
  )
]
