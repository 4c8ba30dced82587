import { ConfigError, decodeConfig, type ConfigResult } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { collectProblems } from "./CollectedProblems.ts"

const Names = Schema.Array(Schema.NonEmptyString).pipe(Schema.withDecodingDefaultKey(Effect.succeed([])))

const AllowedCallers = Schema.Struct({
  /** By the name at their issuer, or that of their API key. */
  subjects: Names,
  /** By a group of theirs. */
  groups: Names,
  /** By a scope of their token. */
  scopes: Names
})

/** Who may do something, such as use one server: whoever is named by one of the three. */
export interface AllowedCallers extends Schema.Schema.Type<typeof AllowedCallers> {}

/** Decodes a list of who may do something: whoever is named by one of the three. */
export const decodeAllowed = decodeConfig({
  schema: AllowedCallers,
  keys: ["subjects", "groups", "scopes"],
  wireNames: {},
  rules: () => []
})

/** Decodes `gateway.allow`, by server. A server that is not named may be used by every caller. */
export const decodeAllowedCallers = (input: unknown): ConfigResult<ReadonlyMap<string, AllowedCallers>> => {
  if (input === undefined) return Result.succeed(new Map())
  const { accept, problems } = collectProblems()
  if (!Predicate.isObject(input) || Array.isArray(input)) {
    problems.push({ path: [], message: "must be an object with the names of servers" })
    return Result.fail(new ConfigError({ problems }))
  }
  const allowed = Object.entries(input).flatMap(([serverName, value]) => {
    const decoded = accept([serverName], decodeAllowed(value))
    return decoded === undefined ? [] : [[serverName, decoded] as const]
  })
  return problems.length > 0 ? Result.fail(new ConfigError({ problems })) : Result.succeed(new Map(allowed))
}
