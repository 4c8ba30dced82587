import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as Predicate from "effect/Predicate"
import { closestName } from "./Suggestion.ts"

/** One thing that is wrong with a configuration. Never holds a configured value, which may be a secret. */
export interface ConfigProblem {
  /** Where, in the names of the file: `["servers", 0, "oauth", "token_url"]`. */
  readonly path: ReadonlyArray<PropertyKey>
  /** Which rule is broken, and what to write instead. */
  readonly message: string
}

/** A problem of one key, or of something inside it. */
export const problem = (
  key: string,
  message: string,
  ...rest: ReadonlyArray<PropertyKey>
): ConfigProblem => ({
  path: [key, ...rest],
  message
})

/** All that is wrong with a configuration, at once. */
export class ConfigError extends Schema.TaggedError<ConfigError>()("ConfigError", {
  problems: Schema.Array(Schema.Struct({ path: Schema.Array(Schema.PropertyKey), message: Schema.String }))
}) {
  override get message(): string {
    const count = this.problems.length
    return [
      `${count} configuration problem${count === 1 ? "" : "s"}:`,
      ...this.problems.map(formatProblem)
    ].join("\n")
  }
}

/** `  servers[0].oauth.token_url: must be https` */
export const formatProblem = (problem: ConfigProblem): string =>
  `  ${formatPath(problem.path)}: ${problem.message}`

/** `servers[0].oauth.token_url`; the whole document is `(root)`. */
export const formatPath = (path: ReadonlyArray<PropertyKey>): string => {
  let text = ""
  for (const key of path) {
    if (typeof key === "number") text += `[${key}]`
    else if (/^[\w$-]+$/.test(String(key))) text += text === "" ? String(key) : `.${String(key)}`
    else text += `[${JSON.stringify(String(key))}]`
  }
  return text === "" ? "(root)" : text
}

/** A value, or everything that is wrong with it. */
export type ConfigResult<A> = Result.Result<A, ConfigError>

/** Puts problems found inside a part of a document at the part's own place. */
export const problemsAt = (
  path: ReadonlyArray<PropertyKey>,
  problems: ReadonlyArray<ConfigProblem>
): ReadonlyArray<ConfigProblem> =>
  problems.map((problem) => ({ path: [...path, ...problem.path], message: problem.message }))

/**
 * Decodes one JSON object of a configuration and reports every problem at once: unknown keys with the name that
 * was probably meant, values of the wrong type, and the rules between fields.
 *
 * Rules see the object without its ill-typed keys, so that a typo in one field does not hide the broken rule in
 * another. For that, every field must be optional in the encoded form.
 *
 * @param options.schema a struct whose keys were renamed with `Schema.encodeKeys`
 * @param options.wireNames the key in the file for each key in code, where they differ
 * @param options.closedParts whether an unknown key inside a part is a problem, too; default false, for parts that
 *   are decoded by others
 * @param options.rules the rules between fields; their paths use the names of the file
 */
export const decodeConfig = <A>(options: {
  readonly schema: Schema.Decoder<A>
  readonly keys: ReadonlyArray<string>
  readonly wireNames: Readonly<Record<string, string>>
  readonly closedParts?: boolean
  readonly rules: (value: A) => ReadonlyArray<ConfigProblem>
}) => {
  const decode = Schema.decodeUnknownResult(options.schema, {
    errors: "all",
    onExcessProperty: options.closedParts === true ? "error" : "ignore"
  })
  return (input: unknown): ConfigResult<A> => {
    if (!Predicate.isObject(input) || Array.isArray(input))
      return failWith([{ path: [], message: "must be a JSON object" }])
    const unknownKeys = findUnknownKeys(input, options.keys)
    const known = without(
      input,
      unknownKeys.map((problem) => problem.path[0])
    )
    const decoded = decode(known)
    const illTyped = Result.isFailure(decoded) ? describeIssue(decoded.failure.issue, options.wireNames) : []
    const usable = Result.isFailure(decoded)
      ? decode(
          without(
            known,
            illTyped.map((problem) => problem.path[0])
          )
        )
      : decoded
    const broken = Result.isSuccess(usable) ? options.rules(usable.success) : []
    const problems = [
      ...unknownKeys,
      ...illTyped,
      ...broken.filter((rule) => !speaksOf(illTyped, rule.path[0]))
    ]
    return problems.length === 0 && Result.isSuccess(usable)
      ? Result.succeed(usable.success)
      : failWith(problems)
  }
}

const failWith = (problems: ReadonlyArray<ConfigProblem>) => Result.fail(new ConfigError({ problems }))

/** How the message of a key that nobody knows begins. */
export const unknownKey = "unknown key"

const findUnknownKeys = (input: object, known: ReadonlyArray<string>): ReadonlyArray<ConfigProblem> =>
  Object.keys(input)
    .filter((key) => !known.includes(key))
    .map((key) => {
      const meant = closestName(key, known)
      return {
        path: [key],
        message: meant === undefined ? unknownKey : `${unknownKey}: did you mean \`${meant}\`?`
      }
    })

const describeIssue = (
  issue: SchemaIssue.Issue,
  wireNames: Readonly<Record<string, string>>
): ReadonlyArray<ConfigProblem> =>
  formatIssues(issue).issues.map(({ message, path = [] }) => {
    const [head, ...rest] = path.map((segment) => (typeof segment === "object" ? segment.key : segment))
    const said = messages.get(message) ?? message
    if (head === undefined) return { path: [], message: said }
    return { path: [typeof head === "string" ? (wireNames[head] ?? head) : head, ...rest], message: said }
  })

/** What Schema says, in the words of a configuration. */
const messages: ReadonlyMap<string, string> = new Map([
  ["Expected no excess property", unknownKey],
  ["Missing key", "required"]
])

const formatIssues = SchemaIssue.makeFormatterStandardSchemaV1()

const without = (input: object, keys: ReadonlyArray<PropertyKey | undefined>): object =>
  Object.fromEntries(Object.entries(input).filter(([key]) => !keys.includes(key)))

const speaksOf = (problems: ReadonlyArray<ConfigProblem>, key: PropertyKey | undefined): boolean =>
  problems.some((problem) => problem.path[0] === key)
