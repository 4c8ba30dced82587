import { Misconfigured, type StoreUnavailable } from "@secure-mcp/oauth-core"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Base64 from "effect/encoding/Base64"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import { closeSync, fsyncSync, linkSync, openSync, readFileSync, rmSync, writeSync } from "node:fs"
import { cannotOpen, makeFolderOf, sqlitePath, sqliteUrlProblem } from "./SqlitePath.ts"

/**
 * An encryption key in a file next to that of SQLite, `<file>.key`, for those who configure none. It protects a copy of
 * the database, not of the whole folder.
 *
 * @example
 * ```ts
 * import { SqlTokenStore } from "@secure-mcp/token-cache-sql"
 * import { SqliteConnection, SqliteKeyFile } from "@secure-mcp/token-cache-sql/sqlite"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 *
 * const url = "/var/lib/gateway/tokens.db"
 * const store = Layer.unwrap(
 *   Effect.map(SqliteKeyFile.readOrMake(url), (encryptionKey) => SqlTokenStore.layer({ encryptionKey }))
 * )
 *
 * export const tokens = store.pipe(Layer.provide(SqliteConnection.layer({ url })))
 * ```
 */
export const SqliteKeyFile = {
  /**
   * The key in the file. The first process makes it, from 32 random bytes, and of several at once one wins. It is never
   * replaced, because all records depend on it.
   */
  readOrMake: Effect.fnUntraced(function* (
    url: string
  ): Effect.fn.Return<Redacted.Redacted, Misconfigured | StoreUnavailable, SecureRandom.SecureRandom> {
    const database = sqlitePath(url)
    if (database === undefined)
      return yield* new Misconfigured({ problem: `the URL of SQLite ${sqliteUrlProblem(url) ?? ""}` })
    const path = `${database}.key`
    const random = yield* SecureRandom.SecureRandom
    const made = Base64.encode(yield* Effect.orDie(random.randomBytes(32)))
    const text = yield* Effect.try({
      try: () => readIfThere(path) ?? makeOnce(path, made),
      catch: (cause) => cannotOpen("the key file", path, cause)
    })
    if (text.trim().length >= 32) return Redacted.make(text.trim())
    return yield* new Misconfigured({
      problem: `the key file ${path} holds no key. Restore it; if it is lost, delete it and the SQLite file next to it`
    })
  }, Effect.provide(SecureRandom.layerWebCrypto))
}

const readIfThere = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8")
  } catch (cause) {
    if (hasCode(cause, "ENOENT")) return undefined
    throw cause
  }
}

/** A link never takes the place of a file that is there already, and the content is on the disk before it has its name. */
const makeOnce = (path: string, key: string): string => {
  makeFolderOf(path)
  const temporary = `${path}.${crypto.randomUUID()}`
  const file = openSync(temporary, "wx", 0o600)
  try {
    writeSync(file, `${key}\n`)
    fsyncSync(file)
    linkSync(temporary, path)
  } catch (cause) {
    if (!hasCode(cause, "EEXIST")) throw cause
  } finally {
    closeSync(file)
    rmSync(temporary, { force: true })
  }
  return readFileSync(path, "utf8")
}

const hasCode = (cause: unknown, code: string): boolean =>
  Predicate.hasProperty(cause, "code") && cause.code === code
