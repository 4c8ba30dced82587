import { decodeOAuthConfig, type DecodeOAuthConfigOptions } from "@secure-mcp/oauth-core"
import type { RereadConfig } from "@secure-mcp/oauth-flows"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import { referencedFiles, resolveReferences } from "./References.ts"

/** Reads the secrets of a server's client again; undefined if no file holds one, or what it holds cannot be used. */
export type RereadSecrets = (serverName: string) => Effect.Effect<RereadConfig | undefined>

/**
 * Resolves the references of an entry's `oauth` again, as they were written when the document was read. The document itself
 * is not read again: other changes in it take effect with a restart.
 *
 * @param directory where relative paths of `${file:…}` start
 */
export const makeRereadSecrets = Effect.fnUntraced(function* (
  document: unknown,
  directory: string,
  options: DecodeOAuthConfigOptions
) {
  const services = yield* Effect.context<FileSystem.FileSystem | Path.Path>()
  const paths = yield* Path.Path
  const entries: unknown = Predicate.hasProperty(document, "servers") ? document.servers : []
  const entryOf = (serverName: string): unknown =>
    Array.isArray(entries)
      ? entries.find(
          (entry) => Predicate.hasProperty(entry, "server_name") && entry.server_name === serverName
        )
      : undefined

  const reread: RereadSecrets = Effect.fn("RereadSecrets.reread")(function* (serverName) {
    const entry = entryOf(serverName)
    const places = filesOf(oauthOf(entry)).map((file) => paths.resolve(directory, file))
    if (places.length === 0) return undefined
    const resolved = yield* resolveReferences({ servers: [entry] }, directory)
    const config = decodeOAuthConfig(
      Predicate.hasProperty(resolved.value, "servers") && Array.isArray(resolved.value.servers)
        ? oauthOf(resolved.value.servers[0])
        : undefined,
      options
    )
    const problems = resolved.problems.length > 0 ? resolved.problems : problemsOf(config)
    if (Result.isSuccess(config) && problems.length === 0) return { config: config.success, places }
    yield* Effect.logWarning(
      `The secrets of "${serverName}" were read again and cannot be used: ${problems.map(({ message }) => message).join("; ")}`
    )
    return undefined
  }, Effect.provideContext(services))
  return reread
})

const problemsOf = (config: ReturnType<typeof decodeOAuthConfig>) =>
  Result.isFailure(config) ? config.failure.problems : []

const oauthOf = (entry: unknown): unknown => (Predicate.hasProperty(entry, "oauth") ? entry.oauth : undefined)

/** The files that the secrets of a client come from. */
const filesOf = (oauth: unknown): ReadonlyArray<string> => {
  if (!Predicate.isObject(oauth)) return []
  const provider: unknown = Reflect.get(oauth, "identity_provider")
  const secrets: ReadonlyArray<unknown> = [
    Reflect.get(oauth, "client_secret"),
    Reflect.get(oauth, "private_key"),
    Reflect.get(oauth, "private_key_id"),
    Predicate.isObject(provider) ? Reflect.get(provider, "client_secret") : undefined
  ]
  return secrets.filter(Predicate.isString).flatMap(referencedFiles)
}
