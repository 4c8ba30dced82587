import { decodeConfig, type ConfigProblem, type ConfigResult } from "@secure-mcp/oauth-core"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

/** A value that may be a secret: plain text in the file, redacted from the moment it is decoded. */
const Secret = Schema.RedactedFromValue(Schema.String)

const fields = {
  /** The MCP endpoint of a server that is reached over HTTP. */
  url: Schema.optionalKey(Schema.String),
  transport: Schema.optionalKey(
    Schema.String.check(
      Schema.makeFilter(
        (value: string) =>
          ["http", "sse", "stdio"].includes(value) ||
          'must be "http" (Streamable HTTP), "sse" (HTTP+SSE of MCP 2024-11-05) or "stdio"'
      )
    )
  ),
  headers: Schema.optionalKey(Schema.Record(Schema.String, Secret)),
  /** The program of a server that is started as a child process. */
  command: Schema.optionalKey(Schema.String),
  args: Schema.optionalKey(Schema.Array(Schema.String)),
  env: Schema.optionalKey(Schema.Record(Schema.String, Secret)),
  cwd: Schema.optionalKey(Schema.String),
  /** How long the first answer of a child, or on a connection of HTTP+SSE, may take. */
  startTimeoutSeconds: Schema.optionalKey(Schema.Finite),
  /** How a child gets a new token: by a new start, or in a file that it reads again. */
  tokenRenewal: Schema.optionalKey(Schema.Literals(["restart", "file"])),
  /** The variable of a child with the name of its token file. */
  tokenFileEnv: Schema.optionalKey(Schema.String)
}

const wireNames = {
  startTimeoutSeconds: "start_timeout_seconds",
  tokenRenewal: "token_renewal",
  tokenFileEnv: "token_file_env"
} as const

const Fields = Schema.Struct(fields).pipe(Schema.encodeKeys(wireNames))

/** The `config` object of a server entry: how the server is reached. Either `url` or `command` is there. */
export interface ServerConfig extends Schema.Schema.Type<typeof Fields> {}

/** Decodes a `config` object and reports every problem at once, by path, without quoting a value. */
export const decodeServerConfig = (input: unknown): ConfigResult<ServerConfig> => decode(input)

const rules = (config: ServerConfig): ReadonlyArray<ConfigProblem> => [
  ...oneWay(config),
  ...headers(config),
  ...childProcess(config)
]

/** A server is reached over HTTP or started, never both. */
const oneWay = (config: ServerConfig): ReadonlyArray<ConfigProblem> => {
  const { command, transport, url } = config
  if (url !== undefined && command !== undefined) {
    return [problem("command", "cannot stand next to `url`: a server is reached over HTTP or started")]
  }
  if (url === undefined && command === undefined) {
    if (transport === "http" || transport === "sse")
      return [problem("url", `required with transport "${transport}"`)]
    if (transport === "stdio") return [problem("command", 'required with transport "stdio"')]
    return [{ path: [], message: "needs a `url` or a `command`" }]
  }
  const foreign: ReadonlyArray<keyof ServerConfig> =
    url === undefined
      ? httpOnly
      : stdioOnly.filter((key) => key !== "startTimeoutSeconds" || transport !== "sse")
  const problems = foreign
    .filter((key) => config[key] !== undefined)
    .map((key) =>
      problem(nameInFile(key), `has no effect next to \`${url === undefined ? "command" : "url"}\``)
    )
  if (transport !== undefined && (transport === "stdio") !== (url === undefined)) {
    problems.push(
      problem(
        "transport",
        transport === "stdio"
          ? "`stdio` needs a `command`, not a `url`"
          : `\`${transport}\` needs a \`url\`, not a \`command\``
      )
    )
  }
  return problems
}

const httpOnly = ["headers"] as const

const stdioOnly = ["args", "env", "cwd", "startTimeoutSeconds", "tokenRenewal", "tokenFileEnv"] as const

const nameInFile = (key: string): string =>
  Object.entries(wireNames).find(([name]) => name === key)?.[1] ?? key

const headers = (config: ServerConfig): ReadonlyArray<ConfigProblem> =>
  Object.entries(config.headers ?? {}).flatMap(([name, value]) => {
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name)) return [problem("headers", "is not a header name", name)]
    return /^[\t\x20-\x7E]*$/.test(Redacted.value(value))
      ? []
      : [problem("headers", "has characters that cannot stand in a header", name)]
  })

const childProcess = (config: ServerConfig): ReadonlyArray<ConfigProblem> => {
  const problems: Array<ConfigProblem> = []
  if (config.command === "") problems.push(problem("command", "must not be empty"))
  if (config.cwd === "") problems.push(problem("cwd", "must not be empty; leave the key out instead"))
  for (const [name, value] of Object.entries(config.env ?? {})) {
    if (name === "" || /[=\0]/.test(name))
      problems.push(problem("env", "is not the name of a variable", name))
    if (Redacted.value(value).includes("\0")) problems.push(problem("env", "must not contain NUL", name))
  }
  if (config.startTimeoutSeconds !== undefined && config.startTimeoutSeconds <= 0)
    problems.push(problem(wireNames.startTimeoutSeconds, "must be more than 0 seconds"))
  return [...problems, ...tokenFile(config)]
}

const tokenFile = ({ tokenFileEnv, tokenRenewal }: ServerConfig): ReadonlyArray<ConfigProblem> => {
  if (tokenFileEnv === undefined)
    return tokenRenewal === "file"
      ? [problem(wireNames.tokenFileEnv, 'required with `token_renewal` "file"')]
      : []
  if (tokenRenewal !== "file")
    return [problem(wireNames.tokenFileEnv, 'has no effect without `token_renewal` "file"')]
  return tokenFileEnv === "" || /[=\0]/.test(tokenFileEnv)
    ? [problem(wireNames.tokenFileEnv, "is not the name of a variable")]
    : []
}

const problem = (key: string, message: string, ...rest: ReadonlyArray<PropertyKey>): ConfigProblem => ({
  path: [key, ...rest],
  message
})

const decode = decodeConfig({
  schema: Fields,
  keys: Object.keys(fields).map(nameInFile),
  wireNames,
  rules
})
