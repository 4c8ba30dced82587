// Tokens in SQLite: a second start finds what the first one stored.
import assert from "node:assert/strict"
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { OAuthToken, type TokenKey } from "@secure-mcp/oauth-core"
import { TokenStore } from "@secure-mcp/token-cache"
import { SqlTokenStore } from "@secure-mcp/token-cache-sql"
import { SqliteConnection } from "@secure-mcp/token-cache-sql/sqlite"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"

const url = join(mkdtempSync(join(tmpdir(), "stranger-")), "tokens.db")
const key: TokenKey = {
  projectId: "p",
  configId: "c",
  serverName: "api",
  personal: false,
  fingerprint: "0".repeat(64)
}
const token = new OAuthToken({
  accessToken: Redacted.make("a-token"),
  tokenType: "Bearer",
  issuedAt: Date.now(),
  reusable: true
})
const start = <A, E>(work: Effect.Effect<A, E, TokenStore>) =>
  Effect.runPromise(
    work.pipe(
      Effect.provide(
        SqlTokenStore.layer({ encryptionKey: Redacted.make("a key that is not easy to guess 0123") })
      ),
      Effect.provide(SqliteConnection.layer({ url }))
    )
  )
await start(Effect.flatMap(TokenStore, (store) => store.set(key, token, Duration.hours(1))))
const entries = await start(Effect.flatMap(TokenStore, (store) => store.list))
assert.equal(entries.length, 1)
