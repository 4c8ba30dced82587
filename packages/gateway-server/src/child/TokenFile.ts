import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import type * as PlatformError from "effect/PlatformError"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"

/** A file with a token that only this user can read. It is removed with the scope. */
export interface TokenFile {
  readonly path: string
  /** Puts another token there. Who reads the file gets the one or the other, and never a part. */
  readonly replace: (token: Redacted.Redacted) => Effect.Effect<void, PlatformError.PlatformError>
}

/**
 * Writes a token, and nothing else, into a file in a new folder under the system's folder for temporary files (`TMPDIR`).
 * The folder has a random name and mode 0700, the file mode 0600.
 */
export const makeTokenFile = Effect.fnUntraced(function* (
  token: Redacted.Redacted
): Effect.fn.Return<TokenFile, PlatformError.PlatformError, Scope.Scope | FileSystem.FileSystem | Path.Path> {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = yield* files.makeTempDirectoryScoped({ prefix: "secure-mcp-gateway-" })
  yield* files.chmod(folder, 0o700)
  const file = path.join(folder, "token")
  const next = path.join(folder, "token.next")
  const replace = (token: Redacted.Redacted) =>
    // What an earlier attempt has left would keep its mode.
    files
      .remove(next, { force: true })
      .pipe(
        Effect.andThen(files.writeFileString(next, Redacted.value(token), { flag: "wx", mode: 0o600 })),
        Effect.andThen(files.rename(next, file))
      )
  yield* replace(token)
  return { path: file, replace }
})
