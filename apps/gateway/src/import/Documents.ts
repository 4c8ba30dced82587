import json5 from "json5"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Toml from "effect/encoding/Toml"

/** Reads a file as JSON with comments, or as TOML if its name says so. Fails with a message that quotes nothing of it. */
export const readDocument = Effect.fnUntraced(function* (path: string) {
  const files = yield* FileSystem.FileSystem
  const text = yield* files
    .readFileString(path)
    .pipe(Effect.mapError(({ reason }) => `${path}: the file cannot be read (${reason._tag})`))
  return yield* Effect.fromResult(path.endsWith(".toml") ? parseToml(path, text) : parseJson(path, text))
})

const parseJson = (path: string, text: string): Result.Result<unknown, string> =>
  Result.try({
    try: (): unknown => json5.parse(text.replace(/^\uFEFF/, "")),
    catch: (cause) => `${path}: the file is not JSON: syntax error${positionOf(cause)}`
  })

const positionOf = (cause: unknown): string =>
  Predicate.hasProperty(cause, "lineNumber") && Predicate.hasProperty(cause, "columnNumber")
    ? ` at line ${String(cause.lineNumber)}, column ${String(cause.columnNumber)}`
    : ""

const parseToml = (path: string, text: string): Result.Result<unknown, string> =>
  Result.mapError(Toml.parse(text.replace(/^\uFEFF/, "")), () => `${path}: the file is not TOML`)
