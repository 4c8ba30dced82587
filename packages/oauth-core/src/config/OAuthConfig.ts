import * as Schema from "effect/Schema"
import { decodeConfig, type ConfigResult } from "./ConfigProblem.ts"
import { fields, OAuthConfigFields, wireNames } from "./OAuthConfigFields.ts"
import { oauthConfigRules } from "./OAuthConfigRules.ts"
import { withPresets } from "./ProviderPresets.ts"

/**
 * How the tokens for one MCP server are obtained: the wire form is snake_case JSON, the code form camelCase with
 * every default filled in and every secret `Redacted`.
 *
 * Decoding checks each field and every rule between fields. `decodeOAuthConfig` reports all problems at once, knows
 * what a `provider` presets, and is what most callers want.
 */
export const OAuthConfig = OAuthConfigFields.check(
  Schema.makeFilter((config: OAuthConfigFields) =>
    oauthConfigRules(config).map(({ path, message }) => ({ path, issue: message }))
  )
)

/** How the tokens for one MCP server are obtained. */
export interface OAuthConfig extends Schema.Schema.Type<typeof OAuthConfig> {}

/** The keys an `oauth` object may have in the file. */
export const oauthConfigKeys: ReadonlyArray<string> = Object.keys(fields).map(
  (key) => Object.entries(wireNames).find(([name]) => name === key)?.[1] ?? key
)

/**
 * Decodes an `oauth` object, with the keys that its `provider` presets, and reports every problem at once, by path,
 * without quoting a value.
 *
 * @example
 * ```ts
 * import { decodeOAuthConfig } from "@secure-mcp/oauth-core"
 * import * as Effect from "effect/Effect"
 *
 * const config = Effect.fromResult(
 *   decodeOAuthConfig({
 *     enabled: true,
 *     token_url: "https://auth.example.com/oauth/token",
 *     client_id: "my-client",
 *     client_secret: "the secret"
 *   })
 * )
 * ```
 */
export const decodeOAuthConfig = (input: unknown): ConfigResult<OAuthConfig> => decode(withPresets(input))

const decode = decodeConfig({
  schema: OAuthConfigFields,
  keys: oauthConfigKeys,
  wireNames,
  closedParts: true,
  rules: oauthConfigRules
})
