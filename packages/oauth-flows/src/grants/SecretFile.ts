import { type GrantRequest, Misconfigured } from "@secure-mcp/oauth-core"
import { fileReference, isCallerToken } from "@secure-mcp/oauth-core/internal"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { readFile } from "node:fs/promises"

/**
 * Port: reads the text of a file that holds a secret. By default from the file system.
 *
 * @example
 * ```ts
 * import { SecretFiles } from "@secure-mcp/oauth-flows"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 *
 * const FromVault = Layer.succeed(SecretFiles, {
 *   read: (path) =>
 *     path === "/vault/assertion" ? Effect.succeed("a.b.c") : Effect.fail({ problem: "does not exist" })
 * })
 * ```
 */
export const SecretFiles = Context.Reference<{
  /** Fails with a problem that completes "the file of `assertion`, /path, …" and quotes nothing of the file. */
  readonly read: (path: string) => Effect.Effect<string, { readonly problem: string }>
}>("@secure-mcp/oauth-flows/SecretFiles", {
  defaultValue: () => ({
    read: (path) =>
      Effect.tryPromise({ try: () => readFile(path, "utf8"), catch: () => ({ problem: "cannot be read" }) })
  })
})

/**
 * The current value of a configured token. `${caller:token}` is the token of the caller. One that is written `${file:/path}` is read each time, because a workload
 * identity agent replaces the file before its token expires. A trailing newline is cut off.
 *
 * @param key of the configuration, for errors
 */
export const readSecret = Effect.fn("SecretFile.readSecret")(function* (
  key: string,
  secret: Redacted.Redacted | undefined,
  { callerToken }: Pick<GrantRequest, "callerToken">
): Effect.fn.Return<Redacted.Redacted, Misconfigured> {
  if (isCallerToken(secret))
    return (
      callerToken?.token ??
      (yield* new Misconfigured({
        problem: `\`${key}\` is the token of the caller, and there is no caller, or one without a token, such as one with an API key`
      }))
    )
  if (secret === undefined) return yield* new Misconfigured({ problem: `\`${key}\` is not configured` })
  const path = fileReference(Redacted.value(secret))
  if (path === undefined) return secret
  const fail = (problem: string) =>
    Effect.fail(new Misconfigured({ problem: `the file of \`${key}\`, ${path}, ${problem}` }))
  const { read } = yield* SecretFiles
  const text = (yield* read(path).pipe(Effect.catch(({ problem }) => fail(problem)))).replace(/\r?\n$/, "")
  return text === "" ? yield* fail("is empty") : Redacted.make(text)
})
