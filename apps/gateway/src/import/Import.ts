import { formatPath, type ConfigProblem } from "@secure-mcp/oauth-core"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import { decodeGatewayConfig } from "@secure-mcp/gateway-server"
import { resolveReferences } from "@secure-mcp/gateway-server/internal"
import { clientEntry } from "./ClientEntry.ts"
import { readDocument } from "./Documents.ts"
import { enkryptEntry } from "./EnkryptEntry.ts"
import { referencedNames } from "./text/ForeignReferences.ts"
import type { ForeignServer, NewServer } from "./ForeignServer.ts"
import { objectOf, textOf, type JsonObject } from "./Json.ts"
import { isMcpRemote } from "./McpRemote.ts"
import { commandLine, startedPackage } from "./CommandLine.ts"
import { makeSecretText } from "./text/SecretText.ts"
import { makeServerNames } from "./ServerNames.ts"
import { findServers, leftOutParts } from "./ServerTables.ts"
import { readMentionedFiles } from "./MentionedFiles.ts"
import { makeVariables, type Variable } from "./text/Variables.ts"

/** What became of other programs' files. */
export interface Imported {
  /** A configuration of the gateway, without secrets. */
  readonly document: { readonly servers: ReadonlyArray<JsonObject> }
  /** What could not be carried over, or not as it was; one line each. */
  readonly remarks: ReadonlyArray<string>
  /** The variables that the configuration refers to. */
  readonly variables: ReadonlyArray<Variable>
}

/** Makes a configuration of the gateway of other programs' files. Fails with every problem of the files. */
export const importFiles = Effect.fn("Import.files")(function* (paths: ReadonlyArray<string>) {
  const path = yield* Path.Path
  const [documents, problems] = yield* Effect.partition(paths, (file) =>
    Effect.flatMap(readDocument(file), (document) => {
      const servers = findServers(document)
      return servers.length === 0
        ? Effect.fail(`${file}: the file holds no MCP servers`)
        : Effect.succeed({ file, document, servers })
    })
  )
  if (problems.length > 0) return yield* Effect.fail(problems)
  const remarks = documents.flatMap(({ document, file }) =>
    leftOutParts(document).map((part) => `${path.basename(file)}: \`${part}\` is left out`)
  )
  const servers = documents.flatMap(({ file, servers }) =>
    servers.map((server): ForeignServer => ({ ...server, file, directory: path.dirname(path.resolve(file)) }))
  )
  const texts = yield* readMentionedFiles(servers)
  const variables = makeVariables(new Set([...systemVariables, ...servers.flatMap(namesReferredTo)]))
  const uniqueName = makeServerNames()
  const made = servers.flatMap((server): ReadonlyArray<Draft> => {
    const said: Array<string> = []
    const name = uniqueName(server.name === "" ? "server" : server.name)
    const remark = (text: string) => void (said.includes(text) || said.push(text))
    const fileText = (file: string) => texts.get(path.resolve(server.directory, file))
    const isReadable = (file: string) => texts.has(file)
    const text = makeSecretText({ ...server, server: name, variables, isReadable, remark })
    const read = server.dialect === "enkrypt" ? enkryptEntry : clientEntry
    const result = read(server.entry, { server: name, text, fileText, remark })
    const lines = name === server.name ? said : [`it is called ${name} here`, ...said]
    return [{ name, oldName: server.name, result, remarks: lines }]
  })
  const checked = yield* keepValid(made, variables.all())
  return {
    document: { servers: checked.flatMap(({ entry }) => (entry === undefined ? [] : [entry])) },
    remarks: [...remarks, ...checked.flatMap(({ lines }) => lines)],
    variables: usedVariables(checked, variables.all())
  } satisfies Imported
})

/** A server on its way from the file to the configuration. */
interface Draft {
  readonly name: string
  readonly oldName: string
  readonly result: NewServer | { readonly leftOut: string }
  readonly remarks: ReadonlyArray<string>
}

/** Names that mean something else on every system. */
const systemVariables = ["PATH", "HOME", "USER", "SHELL", "TERM", "LOGNAME", "REDIS_URL"]

/** The variables that an entry reads from outside: `mcp-remote` has its own environment first. */
const namesReferredTo = ({ entry }: ForeignServer): ReadonlyArray<string> => {
  const line = commandLine({ ...objectOf(entry), ...objectOf(objectOf(entry)["config"]) })
  const started = line === undefined ? undefined : startedPackage(line)
  const own = started !== undefined && isMcpRemote(started) ? started.env : {}
  const named = [
    objectOf(entry)["bearer_token_env_var"],
    ...Object.values(objectOf(objectOf(entry)["env_http_headers"]))
  ]
  return [
    ...stringsOf(entry)
      .flatMap(referencedNames)
      .filter((name) => own[name] === undefined),
    ...named.map(textOf).filter((name) => name !== undefined)
  ]
}

const stringsOf = (value: unknown): ReadonlyArray<string> => {
  if (Predicate.isString(value)) return [value]
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(stringsOf) : []
}

interface Checked {
  readonly entry: JsonObject | undefined
  readonly lines: ReadonlyArray<string>
}

/** Checks each entry as the gateway will: a key that breaks a rule is taken out, or else the entry. */
const keepValid = Effect.fnUntraced(function* (
  drafts: ReadonlyArray<Draft>,
  variables: ReadonlyArray<Variable>
) {
  const values = Object.fromEntries(variables.map(({ name, value }) => [name, value ?? "value"]))
  return yield* Effect.forEach(
    drafts,
    Effect.fnUntraced(function* ({ name, oldName, remarks, result }) {
      const line = (text: string) => `${oldName}: ${text}`.replaceAll(/\p{Cc}/gu, " ")
      const lines = remarks.map(line)
      if ("leftOut" in result)
        return { entry: undefined, lines: [...lines, line(`left out: ${result.leftOut}`)] }
      let server = result
      for (;;) {
        const entry: JsonObject = {
          server_name: name,
          config: server.config,
          ...(server.oauth === undefined ? {} : { oauth: server.oauth })
        }
        const problem = yield* firstProblem(entry, values)
        if (problem === undefined)
          return { entry, lines: [...lines, ...(yield* missingFiles(entry)).map(line)] }
        const without = withoutKey(server, problem)
        if (without === undefined) {
          return {
            entry: undefined,
            lines: [...lines, line(`left out: ${formatPath(problem.path)} ${problem.message}`)]
          }
        }
        lines.push(line(`${without.key} is left out: ${problem.message}`))
        server = without.server
      }
    })
  )
})

const firstProblem = Effect.fnUntraced(function* (
  entry: JsonObject,
  values: Readonly<Record<string, string>>
) {
  const resolved = yield* resolveReferences({ servers: [withLikelyUrls(entry)] }, ".").pipe(
    Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env: values }))
  )
  const decoded = decodeGatewayConfig(resolved.value)
  const [problem] = [...resolved.problems, ...(Result.isFailure(decoded) ? decoded.failure.problems : [])]
  return problem === undefined ? undefined : { ...problem, path: problem.path.slice(2) }
})

/** A variable at the beginning of a URL holds the scheme, too. */
const withLikelyUrls = (entry: JsonObject): JsonObject =>
  JSON.parse(JSON.stringify(entry), (key, value: unknown) =>
    typeof value === "string" && /url$|^issuer$|^resource$|_uri$/.test(key)
      ? value.replace(/^\$\{env:\w+\}/, "https://host.example")
      : value
  )

/** Keys without which the rest would mean something else. */
const essential: ReadonlySet<PropertyKey> = new Set([
  "enabled",
  "grant_type",
  "client_id",
  "client_secret",
  "token_url",
  "use_mtls",
  "enforce_https"
])

/** The server without the key that a problem is at; undefined if it cannot do without. */
const withoutKey = (
  server: NewServer,
  { path }: ConfigProblem
): { readonly server: NewServer; readonly key: string } | undefined => {
  const [part, key, inner] = path.map(String)
  if (part === "oauth" && key !== undefined && server.oauth?.[key] !== undefined && !essential.has(key)) {
    const { [key]: _, ...oauth } = server.oauth
    return { server: { ...server, oauth }, key: server.origins?.[key] ?? `\`oauth.${key}\`` }
  }
  if (part === "config" && (key === "headers" || key === "env") && inner !== undefined) {
    const { [inner]: taken, ...others } = objectOf(server.config[key])
    return taken === undefined
      ? undefined
      : { server: { ...server, config: { ...server.config, [key]: others } }, key: `\`${key}.${inner}\`` }
  }
  return undefined
}

/** Certificates and keys that are not on this machine. */
const missingFiles = Effect.fnUntraced(function* (entry: JsonObject) {
  const files = yield* FileSystem.FileSystem
  const named = Object.entries(objectOf(entry["oauth"])).filter(([key]) => key.endsWith("_path"))
  const found = yield* Effect.forEach(named, ([key, path]) =>
    Effect.map(
      Effect.orElseSucceed(files.exists(String(path)), () => false),
      (exists) => (exists ? [] : [`\`oauth.${key}\`: there is no such file here, so \`check\` will complain`])
    )
  )
  return found.flat()
})

/** Those that the configuration refers to in the end. */
const usedVariables = (checked: ReadonlyArray<Checked>, variables: ReadonlyArray<Variable>) => {
  const written = JSON.stringify(checked.map(({ entry }) => entry))
  return variables.filter(({ name }) => written.includes(`\${env:${name}}`))
}
