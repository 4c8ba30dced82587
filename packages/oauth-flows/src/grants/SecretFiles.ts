import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { readFile } from "node:fs/promises"

/** Port: the text of a file that holds a secret. The file system's unless something else is provided. */
export const SecretFiles = Context.Reference<{
  readonly read: (path: string) => Effect.Effect<string, { readonly problem: string }>
}>("@secure-mcp/oauth-flows/SecretFiles", {
  defaultValue: () => ({
    read: (path) =>
      Effect.tryPromise({ try: () => readFile(path, "utf8"), catch: () => ({ problem: "cannot be read" }) })
  })
})
