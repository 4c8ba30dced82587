import { Misconfigured } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { SecretFiles } from "./SecretFiles.ts"

/**
 * A configured token as it is now. One that is written `${file:/path}` is read each time, because whoever puts it
 * there (a workload identity agent) replaces it before it ends. A trailing newline is cut off.
 *
 * @param key of the configuration, for errors
 */
export const freshSecret = Effect.fn("FreshSecret.freshSecret")(function* (
  key: string,
  secret: Redacted.Redacted | undefined
): Effect.fn.Return<Redacted.Redacted, Misconfigured> {
  if (secret === undefined) return yield* new Misconfigured({ problem: `\`${key}\` is not configured` })
  const path = /^\$\{file:(?<path>[^}]+)\}$/.exec(Redacted.value(secret))?.groups?.["path"]
  if (path === undefined) return secret
  const fail = (problem: string) =>
    Effect.fail(new Misconfigured({ problem: `the file of \`${key}\`, ${path}, ${problem}` }))
  const { read } = yield* SecretFiles
  const text = (yield* read(path).pipe(Effect.catch(({ problem }) => fail(problem)))).replace(/\r?\n$/, "")
  return text === "" ? yield* fail("is empty") : Redacted.make(text)
})
