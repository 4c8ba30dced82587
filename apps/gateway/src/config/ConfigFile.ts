import { ConfigError, formatPath, problemsAt, type ConfigProblem } from "@secure-mcp/oauth-core"
import { ClientCertificates } from "@secure-mcp/mtls"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Result from "effect/Result"
import { decodeServerEntry } from "@secure-mcp/transport-injection"
import { decodeGatewayConfig, rawEntries, type GatewayConfig } from "./GatewayConfig.ts"
import { resolveReferences } from "./References.ts"

/**
 * Reads, resolves and checks a configuration file, certificates included. Every problem is reported at once, and
 * nothing has been opened or sent when it fails.
 */
export const loadConfigFile = Effect.fn("ConfigFile.load")(function* (path: string) {
  const resolved = yield* resolveReferences(yield* readJson(path))
  const decoded = decodeGatewayConfig(resolved.value)
  const problems = [
    ...resolved.problems,
    ...newProblems(decoded, resolved.problems),
    ...(yield* certificateProblems(resolved.value))
  ]
  if (Result.isFailure(decoded) || problems.length > 0) return yield* new ConfigError({ problems })
  return decoded.success
})

const readJson = Effect.fnUntraced(function* (path: string) {
  const files = yield* FileSystem.FileSystem
  const text = yield* files
    .readFileString(path)
    .pipe(Effect.mapError(({ reason }) => documentError(`the file ${path} cannot be read (${reason._tag})`)))
  return yield* Effect.try({
    try: (): unknown => JSON.parse(text),
    catch: (cause) => documentError(`the file ${path} is not JSON: ${positionOf(cause, text)}`)
  })
})

const documentError = (message: string) => new ConfigError({ problems: [{ path: [], message }] })

/** The parser's own message quotes the text around the error, which may be a secret. */
const positionOf = (cause: unknown, text: string): string => {
  const position = /position (\d+)/.exec(String(cause))?.[1]
  if (position === undefined) return "syntax error"
  const before = text.slice(0, Number(position)).split("\n")
  return `syntax error at line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`
}

/** An unresolved reference may break a rule as well; the reference is the problem to show. */
const newProblems = (
  decoded: Result.Result<GatewayConfig, ConfigError>,
  known: ReadonlyArray<ConfigProblem>
): ReadonlyArray<ConfigProblem> => {
  const places = new Set(known.map((problem) => formatPath(problem.path)))
  return Result.isFailure(decoded)
    ? decoded.failure.problems.filter((problem) => !places.has(formatPath(problem.path)))
    : []
}

/** Opens the certificates of every entry that is well-formed by itself, whatever is wrong with the others. */
const certificateProblems = Effect.fnUntraced(function* (document: unknown) {
  const certificates = yield* ClientCertificates
  const problems = yield* Effect.forEach(rawEntries(document), (entry, index) => {
    const decoded = decodeServerEntry(entry)
    if (Result.isFailure(decoded)) return Effect.succeed([])
    return certificates.connection(decoded.success.oauth).pipe(
      Effect.as([]),
      Effect.catch(({ key, problem }) =>
        Effect.succeed(problemsAt(["servers", index, "oauth"], [{ path: [key], message: problem }]))
      )
    )
  })
  return problems.flat()
})
