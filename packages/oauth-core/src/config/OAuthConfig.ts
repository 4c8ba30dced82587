import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { ConfigError, decodeConfig, type ConfigResult } from "../problems/ConfigProblem.ts"
import type { GrantDefinition, GrantKeyValues } from "./GrantDefinition.ts"
import { fields, OAuthConfigFields, oauthConfigFieldsWith, wireNames } from "./OAuthConfigFields.ts"
import { oauthConfigRules } from "./OAuthConfigRules.ts"
import { nameOwners, ownKeyProblems, ownKeysOf, splitOwnKeys } from "./OwnKeys.ts"
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
export interface OAuthConfig extends Schema.Schema.Type<typeof OAuthConfig> {
  /** What stands under the own keys of a grant that others define (`GrantDefinition`). */
  readonly grantKeys?: GrantKeyValues | undefined
}

/** The keys an `oauth` object may have in the file. */
export const oauthConfigKeys: ReadonlyArray<string> = Object.keys(fields).map(
  (key) => Object.entries(wireNames).find(([name]) => name === key)?.[1] ?? key
)

/** How an `oauth` object is decoded. */
export interface DecodeOAuthConfigOptions {
  /** The grants that `grant_type` may name beside the built-in ones. Default: none. */
  readonly grants?: ReadonlyArray<GrantDefinition> | undefined
}

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
export const decodeOAuthConfig = (
  input: unknown,
  { grants = [] }: DecodeOAuthConfigOptions = {}
): ConfigResult<OAuthConfig> => {
  const complete = withPresets(input)
  return grants.length === 0 ? decode(complete) : decodeAmong(grants, complete)
}

const decode = decodeConfig({
  schema: OAuthConfigFields,
  keys: oauthConfigKeys,
  wireNames,
  closedParts: true,
  rules: oauthConfigRules
})

/** The own keys of the grant that `grant_type` names are checked by its schemas, and all others as ever. */
const decodeAmong = (grants: ReadonlyArray<GrantDefinition>, input: unknown): ConfigResult<OAuthConfig> => {
  const { grant, own, shared } = isJsonObject(input)
    ? splitOwnKeys(input, grants)
    : { grant: undefined, own: {}, shared: input }
  const config = decodeConfig({
    schema: oauthConfigFieldsWith(grants.map(({ grantType }) => grantType)),
    keys: [...oauthConfigKeys, ...(grant === undefined ? [] : ownKeysOf(grant))],
    wireNames,
    closedParts: true,
    rules: (fields) => [...oauthConfigRules(fields), ...(grant?.rules(fields, own) ?? [])]
  })(shared)
  const problems = [
    ...(Result.isFailure(config) ? nameOwners(config.failure, grants) : []),
    ...(grant === undefined ? [] : ownKeyProblems(grant, own))
  ]
  if (Result.isFailure(config) || problems.length > 0) return Result.fail(new ConfigError({ problems }))
  return Result.succeed(
    grant === undefined ? config.success : { ...config.success, grantKeys: Redacted.make(own) }
  )
}

const isJsonObject = (input: unknown): input is Readonly<Record<string, unknown>> =>
  Predicate.isObject(input) && !Array.isArray(input)
