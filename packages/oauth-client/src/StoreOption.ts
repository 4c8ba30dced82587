import {
  ConfigError,
  type ConfigProblem,
  type ConfigResult,
  type Misconfigured,
  type StoreUnavailable
} from "@secure-mcp/oauth-core"
import { encryptionKeyProblem, FileTokenStore, TokenStore } from "@secure-mcp/token-cache"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type * as Path from "effect/Path"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"

/**
 * Where tokens are stored:
 *
 * - `"memory"`, the default: they end with the process.
 * - `"file"`, or an object with the keys of the gateway's `store`: in encrypted files, which outlive the process and which
 *   several processes on one machine share.
 * - A layer with any `TokenStore`, such as that of `@secure-mcp/token-cache-redis`.
 */
export type ClientStore = "memory" | "file" | MemoryStoreKeys | FileStoreKeys | TokenStoreLayer

/** The same as `"memory"`. */
export interface MemoryStoreKeys {
  readonly type: "memory"
}

/** Encrypted files, as `store` of the gateway's file names them. */
export interface FileStoreKeys {
  readonly type: "file"
  /** A folder for the store alone. Default: `secure-mcp-gateway/tokens` in the user's state directory. */
  readonly directory?: string | undefined
  /** At least 32 characters, best the output of `openssl rand -base64 32`. Default: a key beside the files. */
  readonly encryption_key?: string | undefined
  /** Keys from before, with which tokens can still be read. */
  readonly previous_encryption_keys?: ReadonlyArray<string> | undefined
}

/** A store of Effect, with all it needs. */
export type TokenStoreLayer = Layer.Layer<TokenStore, Misconfigured | StoreUnavailable>

/** The store that was chosen. */
export type StoreChoice = Layer.Layer<
  TokenStore,
  Misconfigured | StoreUnavailable,
  FileSystem.FileSystem | Path.Path
>

/** Checks `store`. */
export const decodeStore = (input: unknown): ConfigResult<StoreChoice> => {
  if (input === undefined || input === "memory") return Result.succeed(TokenStore.none)
  if (input === "file") return Result.succeed(FileTokenStore.layer())
  if (isLayer(input)) return Result.succeed(input)
  if (typeof input !== "object" || input === null) return failWith([problem([], expected)])
  const keys: Readonly<Record<string, unknown>> = Object.fromEntries(
    Object.entries(input).filter(([, value]) => value !== undefined)
  )
  if (keys["type"] !== "memory" && keys["type"] !== "file") return failWith([problem(["type"], expected)])
  const allowed = keys["type"] === "file" ? fileKeys : ["type"]
  const problems = Object.keys(keys)
    .filter((key) => !allowed.includes(key))
    .map((key) => problem([key], `unknown key with type "${String(keys["type"])}"`))
  return keys["type"] === "memory"
    ? problems.length === 0
      ? Result.succeed(TokenStore.none)
      : failWith(problems)
    : decodeFileStore(keys, problems)
}

const decodeFileStore = (
  keys: Readonly<Record<string, unknown>>,
  before: ReadonlyArray<ConfigProblem>
): ConfigResult<StoreChoice> => {
  const { directory, encryption_key: encryptionKey, previous_encryption_keys: previousKeys = [] } = keys
  const problems = [...before]
  if (directory !== undefined && (typeof directory !== "string" || directory === ""))
    problems.push(problem(["directory"], "must be the path of a folder"))
  if (encryptionKey !== undefined) problems.push(...keyProblems(["encryption_key"], encryptionKey))
  if (Array.isArray(previousKeys))
    problems.push(
      ...previousKeys.flatMap((key: unknown, index) => keyProblems(["previous_encryption_keys", index], key))
    )
  else problems.push(problem(["previous_encryption_keys"], "must be an array of strings"))
  if (problems.length > 0) return failWith(problems)
  return Result.succeed(
    FileTokenStore.layer({
      previousKeys: Array.isArray(previousKeys)
        ? previousKeys.map(String).map((key) => Redacted.make(key))
        : [],
      ...(typeof directory === "string" ? { directory } : {}),
      ...(typeof encryptionKey === "string" ? { encryptionKey: Redacted.make(encryptionKey) } : {})
    })
  )
}

const keyProblems = (path: ReadonlyArray<PropertyKey>, key: unknown): ReadonlyArray<ConfigProblem> => {
  const message = typeof key === "string" ? encryptionKeyProblem(Redacted.make(key)) : "must be a string"
  return message === undefined ? [] : [problem(path, message)]
}

const fileKeys: ReadonlyArray<string> = ["type", "directory", "encryption_key", "previous_encryption_keys"]

const expected =
  'must be "memory", "file", an object with such a `type`, or a layer with a `TokenStore` (for Redis: @secure-mcp/token-cache-redis)'

const isLayer = (input: unknown): input is TokenStoreLayer => Layer.isLayer(input)

const problem = (path: ReadonlyArray<PropertyKey>, message: string): ConfigProblem => ({
  path: ["store", ...path],
  message
})

const failWith = (problems: ReadonlyArray<ConfigProblem>) => Result.fail(new ConfigError({ problems }))
