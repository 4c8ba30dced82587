import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { decodeConfig, unknownKey, type ConfigError, type ConfigProblem } from "../problems/ConfigProblem.ts"
import type { GrantDefinition } from "./GrantDefinition.ts"

type JsonObject = Readonly<Record<string, unknown>>

/** An `oauth` object, and what of it belongs to the grant of others that it names. */
interface SplitKeys {
  /** Undefined if it names a built-in grant, or none. */
  readonly grant: GrantDefinition | undefined
  readonly own: JsonObject
  readonly shared: JsonObject
}

/** Keys that say whether there is a grant, and which. */
const reservedKeys: ReadonlySet<string> = new Set(["enabled", "grant_type"])

/** The names of a grant's own keys. */
export const ownKeysOf = (grant: GrantDefinition): ReadonlyArray<string> =>
  Object.keys(grant.keys).filter((key) => !reservedKeys.has(key))

/** Separates the own keys of the grant that an object names from those that every grant has. */
export const splitOwnKeys = (input: JsonObject, grants: ReadonlyArray<GrantDefinition>): SplitKeys => {
  const grant = grants.findLast(({ grantType }) => grantType === input["grant_type"])
  const own = new Set(grant === undefined ? [] : ownKeysOf(grant))
  const entries = Object.entries(input)
  return {
    grant,
    own: Object.fromEntries(entries.filter(([key]) => own.has(key))),
    shared: Object.fromEntries(entries.filter(([key]) => !own.has(key)))
  }
}

/** What is wrong with the values of a grant's own keys. */
export const ownKeyProblems = (grant: GrantDefinition, own: JsonObject): ReadonlyArray<ConfigProblem> => {
  const keys = ownKeysOf(grant)
  const decoded = decodeConfig({
    schema: Schema.Struct(Object.fromEntries(keys.map((key) => [key, grant.keys[key] ?? Schema.Unknown]))),
    keys,
    wireNames: {},
    closedParts: true,
    rules: () => []
  })(own)
  return Result.isFailure(decoded) ? decoded.failure.problems : []
}

/** An unknown key that another grant knows shows that the wrong one is configured. */
export const nameOwners = (
  { problems }: ConfigError,
  grants: ReadonlyArray<GrantDefinition>
): ReadonlyArray<ConfigProblem> =>
  problems.map((found) => {
    const [key] = found.path
    const owner = found.message.startsWith(unknownKey)
      ? grants.find((grant) => ownKeysOf(grant).some((own) => own === key))
      : undefined
    return owner === undefined
      ? found
      : { ...found, message: `has no effect unless \`grant_type\` is "${owner.grantType}"` }
  })
