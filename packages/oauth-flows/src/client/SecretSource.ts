import type { GrantRequest, OAuthConfig } from "@secure-mcp/oauth-core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/** A configuration whose secrets were read again. Nothing else is taken from it. */
export interface RereadConfig {
  readonly config: OAuthConfig
  /** Where the secrets stand, for errors: the names of files, of entries of a vault. */
  readonly places: ReadonlyArray<string>
}

/**
 * Port: reads the client's secrets again (`client_secret`, `private_key`, that of the identity provider) after a server
 * refused them with `invalid_client`. What has changed is used, and the request sent once more: so a secret is rotated
 * without a restart. Asked at most once a second for each configuration. Default: they cannot be read again.
 *
 * @example
 * ```ts
 * import { SecretSource } from "@secure-mcp/oauth-flows"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as Redacted from "effect/Redacted"
 * import { readFile } from "node:fs/promises"
 *
 * const place = "/run/secrets/client_secret"
 *
 * export const FromFile = Layer.succeed(SecretSource, {
 *   reread: ({ config }) =>
 *     Effect.promise(() => readFile(place, "utf8")).pipe(
 *       Effect.map((text) => ({
 *         config: { ...config, clientSecret: Redacted.make(text.trim()) },
 *         places: [place]
 *       }))
 *     )
 * })
 * ```
 */
export const SecretSource = Context.Reference<{
  /** Undefined if there is nothing to be read again, or it cannot be used; then the refusal stands. */
  readonly reread: (request: GrantRequest) => Effect.Effect<RereadConfig | undefined>
}>("@secure-mcp/oauth-flows/SecretSource", {
  defaultValue: () => ({ reread: () => Effect.undefined })
})
