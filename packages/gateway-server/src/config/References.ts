import type { ConfigProblem } from "@secure-mcp/oauth-core"
import { callerTokenReference, closestName, fileReference } from "@secure-mcp/oauth-core/internal"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import * as Predicate from "effect/Predicate"
import { unknownReference } from "./UnknownReference.ts"

/** A document with its references replaced, and the problems of those that could not be. */
export interface Resolved {
  readonly value: unknown
  readonly problems: ReadonlyArray<ConfigProblem>
}

/**
 * Replaces `${env:NAME}` and `${file:/path}` in every string of a JSON document. A file's trailing newline is cut
 * off. A missing or empty variable or file is a problem at the field with the reference, never an empty string. So is a
 * reference in another program's form, which would be sent as it stands.
 *
 * References in an `oauth` object without `enabled: true` are not resolved, because nothing in it is used.
 *
 * @param directory where relative paths of `${file:…}` start
 */
export const resolveReferences = Effect.fnUntraced(function* (document: unknown, directory: string) {
  const problems: Array<ConfigProblem> = []
  const value = yield* resolveValue(document, [], { directory, problems })
  return { value, problems } satisfies Resolved
})

type Resolve = Effect.Effect<unknown, never, FileSystem.FileSystem | Path.Path>

/** What the resolution of a document goes by, and the problems it finds. */
interface Resolution {
  readonly directory: string
  readonly problems: Array<ConfigProblem>
}

const resolveValue = (value: unknown, path: ReadonlyArray<PropertyKey>, resolution: Resolution): Resolve => {
  if (Predicate.isString(value) && callerReference.test(value)) {
    if (value !== callerTokenReference || !callerTokens.has(keyInEntry(path)))
      resolution.problems.push({ path, message: misplacedCaller })
    return Effect.succeed(value)
  }
  if (Predicate.isString(value)) {
    const resolved = resolveText(value, path, resolution)
    return staysReference(value, path)
      ? Effect.andThen(resolved, absoluteReference(value, resolution.directory))
      : resolved
  }
  if (Array.isArray(value)) {
    return Effect.forEach(value, (item, index) => resolveValue(item, [...path, index], resolution))
  }
  if (!Predicate.isObject(value)) return Effect.succeed(value)
  return Effect.forEach(Object.entries(value), ([key, item]) =>
    isDisabledOAuth(key, item)
      ? Effect.succeed([key, item] as const)
      : Effect.map(resolveValue(item, [...path, key], resolution), (resolved) => [key, resolved] as const)
  ).pipe(Effect.map(Object.fromEntries))
}

const isDisabledOAuth = (key: string, value: unknown): boolean =>
  key === "oauth" && Predicate.isObject(value) && Reflect.get(value, "enabled") !== true

/**
 * A workload's tokens are replaced in their files while the gateway runs, so these keys keep the reference and
 * `oauth-flows` reads the file for each request. Here it is only checked that the file is there.
 */
const staysReference = (text: string, path: ReadonlyArray<PropertyKey>): boolean =>
  fileReference(text) !== undefined && workloadTokens.has(keyInEntry(path))

/** Where the token of the caller may be exchanged. */
const callerTokens: ReadonlySet<string> = new Set([
  "oauth.assertion",
  "oauth.subject_token",
  "oauth.identity_provider.subject_token"
])

const workloadTokens: ReadonlySet<string> = new Set([...callerTokens, "oauth.actor_token"])

const callerReference = /\$\{caller:[^}]*\}/

const misplacedCaller =
  "`${caller:token}` is the token of the caller. It stands alone, as the whole value of `subject_token` or `assertion`"

const keyInEntry = ([list, index, ...keys]: ReadonlyArray<PropertyKey>): string =>
  list === "servers" && typeof index === "number" ? keys.map(String).join(".") : ""

/** The same reference with an absolute path, because it is read from another folder later. */
const absoluteReference = (text: string, directory: string) =>
  Effect.map(Path.Path, (paths) => `\${file:${paths.resolve(directory, fileReference(text) ?? "")}}`)

const reference = /\$\{(\w+):([^}]*)\}/g

/** The files that a text has references to, as they are written. */
export const referencedFiles = (text: string): ReadonlyArray<string> =>
  [...text.matchAll(reference)].flatMap(([, source, name = ""]) => (source === "file" ? [name] : []))

const resolveText = Effect.fnUntraced(function* (
  text: string,
  path: ReadonlyArray<PropertyKey>,
  { directory, problems }: Resolution
) {
  const unknown = unknownReference(
    text.replaceAll(reference, (whole, source: string) => (isKnown(source) ? "" : whole)),
    path
  )
  if (unknown !== undefined) problems.push({ path, message: unknown })
  let resolved = ""
  let end = 0
  for (const match of text.matchAll(reference)) {
    const [whole, source = "", name = ""] = match
    const replacement = yield* lookUp(source, name, directory).pipe(
      Effect.catch((message) => {
        problems.push({ path, message })
        return Effect.succeed(whole)
      })
    )
    resolved += text.slice(end, match.index) + (replacement ?? whole)
    end = match.index + whole.length
  }
  return resolved + text.slice(end)
})

const sources = ["env", "file"]

/** Whether a reference is the gateway's, or misspelt so that `lookUp` can suggest one. */
const isKnown = (source: string): boolean => closestName(source, sources) !== undefined

/** The text that replaces a reference; undefined if it is no reference of the gateway and stays as it is. */
const lookUp = (
  source: string,
  name: string,
  directory: string
): Effect.Effect<string | undefined, string, FileSystem.FileSystem | Path.Path> => {
  if (source === "env") return fromEnvironment(name)
  if (source === "file") return fromFile(name, directory)
  const meant = closestName(source, sources)
  return meant === undefined
    ? Effect.undefined
    : Effect.fail(`unknown reference \${${source}:…}: did you mean \${${meant}:…}?`)
}

const fromEnvironment = (name: string) =>
  Config.String(name).pipe(
    Effect.mapError(
      () => `the environment variable ${name} is not set or empty: export it, or write the value here`
    )
  )

const fromFile = Effect.fnUntraced(function* (name: string, directory: string) {
  const files = yield* FileSystem.FileSystem
  const path = (yield* Path.Path).resolve(directory, name)
  const content = yield* files
    .readFileString(path)
    .pipe(Effect.mapError(({ reason }) => `the file ${path} cannot be read (${reason._tag})`))
  const text = content.replace(/\r?\n$/, "")
  return text === "" ? yield* Effect.fail(`the file ${path} is empty`) : text
})
