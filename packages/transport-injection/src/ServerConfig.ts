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
          value === "http" || value === "stdio" || 'must be "http" (Streamable HTTP) or "stdio"'
      )
    )
  ),
  headers: Schema.optionalKey(Schema.Record(Schema.String, Secret)),
  /** The program of a server that is started as a child process. */
  command: Schema.optionalKey(Schema.String),
  args: Schema.optionalKey(Schema.Array(Schema.String)),
  env: Schema.optionalKey(Schema.Record(Schema.String, Secret)),
  cwd: Schema.optionalKey(Schema.String)
}

const Fields = Schema.Struct(fields)

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
    if (transport === "http") return [problem("url", 'required with transport "http"')]
    if (transport === "stdio") return [problem("command", 'required with transport "stdio"')]
    return [{ path: [], message: "needs a `url` or a `command`" }]
  }
  const [needed, foreign] = url === undefined ? ["stdio", httpOnly] : ["http", stdioOnly]
  const problems = foreign
    .filter((key) => config[key] !== undefined)
    .map((key) => problem(key, `has no effect next to \`${url === undefined ? "command" : "url"}\``))
  if (transport !== undefined && transport !== needed) {
    problems.push(
      problem(
        "transport",
        transport === "http"
          ? "`http` needs a `url`, not a `command`"
          : "`stdio` needs a `command`, not a `url`"
      )
    )
  }
  return problems
}

const httpOnly = ["headers"] as const

const stdioOnly = ["args", "env", "cwd"] as const

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
  return problems
}

const problem = (key: string, message: string, ...rest: ReadonlyArray<PropertyKey>): ConfigProblem => ({
  path: [key, ...rest],
  message
})

const decode = decodeConfig({ schema: Fields, keys: Object.keys(fields), wireNames: {}, rules })
