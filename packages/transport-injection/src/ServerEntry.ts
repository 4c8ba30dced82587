import {
  ConfigError,
  decodeConfig,
  decodeOAuthConfig,
  endpointProblem,
  oauthConfigKeys,
  problemsAt,
  type ConfigProblem,
  type ConfigResult,
  type DecodeOAuthConfigOptions,
  type OAuthConfig,
  type Proxies
} from "@secure-mcp/oauth-core"
import {
  ownKeysOf,
  proxiesOf,
  proxyProblem,
  ProxySetting,
  userAgentProblem
} from "@secure-mcp/oauth-core/internal"
import * as Predicate from "effect/Predicate"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { decodeLimits, type LimitsSetting } from "./Limits.ts"
import { decodeServerConfig, type ServerConfig } from "./ServerConfig.ts"
import { decodeToolRules, type ToolRules } from "./ToolRules.ts"

/** A server that is reached over HTTP. */
export interface HttpServerEntry {
  readonly _tag: "Http"
  readonly serverName: string
  /** Streamable HTTP, or HTTP+SSE of MCP 2024-11-05. */
  readonly transport: "http" | "sse"
  /** How long the first answer on a connection of HTTP+SSE may take. */
  readonly startTimeoutSeconds: number
  /** The MCP endpoint. The token goes to its origin and nowhere else. */
  readonly url: string
  readonly headers: Readonly<Record<string, Redacted.Redacted>>
  /** undefined: no token is wanted (`oauth.enabled` is not true). */
  readonly oauth: OAuthConfig | undefined
  /** The `User-Agent` of our own requests for this server; undefined: the default of the HTTP client. */
  readonly userAgent: string | undefined
  /** The proxies between us and its servers; undefined: the entry does not say. */
  readonly proxies: Proxies | undefined
  /** The limits that the entry names. */
  readonly limits: LimitsSetting
  /** The tools that its clients may use; undefined: all. */
  readonly tools: ToolRules | undefined
}

/** A server that is started as a child process and speaks over its standard streams. */
export interface StdioServerEntry {
  readonly _tag: "Stdio"
  readonly serverName: string
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly env: Readonly<Record<string, Redacted.Redacted>>
  /** undefined: the directory of the gateway. */
  readonly cwd: string | undefined
  /** How long its first answer may take. */
  readonly startTimeoutSeconds: number
  /** How it gets a new token: by a new start, or in a file that it reads again. */
  readonly tokenRenewal: TokenRenewal
  /** undefined: no token is wanted (`oauth.enabled` is not true). */
  readonly oauth: OAuthConfig | undefined
  /** The `User-Agent` of our own requests for this server; undefined: the default of the HTTP client. */
  readonly userAgent: string | undefined
  /** The proxies between us and its servers; undefined: the entry does not say. */
  readonly proxies: Proxies | undefined
  /** The limits that the entry names. */
  readonly limits: LimitsSetting
  /** The tools that its clients may use; undefined: all. */
  readonly tools: ToolRules | undefined
}

/** How a child process gets a new token before the one it has expires. */
export type TokenRenewal =
  | { readonly _tag: "Restart" }
  | {
      readonly _tag: "File"
      /** The environment variable with the name of the file. */
      readonly variable: string
    }

/** One entry of `servers`, checked, with every default filled in and every possible secret redacted. */
export type ServerEntry = HttpServerEntry | StdioServerEntry

/**
 * Decodes one entry of `servers` and reports every problem at once: of the entry, of its `config` and of its
 * `oauth`. Paths start at the entry (`["oauth", "token_url"]`); no value is quoted.
 *
 * An `oauth` object with `enabled: false` is not checked. Without `enabled`, which means the same, its keys are
 * still checked, so that a misspelt `enabled` does not silently switch the token off.
 *
 * @param options.grants the grants that `oauth.grant_type` may name beside the built-in ones
 */
export const decodeServerEntry = (
  input: unknown,
  options: DecodeOAuthConfigOptions = {}
): ConfigResult<ServerEntry> => {
  const entry = decodeNames(input)
  if (Result.isFailure(entry) && !isJsonObject(input)) return Result.fail(entry.failure)
  const parts: Readonly<Record<string, unknown>> = isJsonObject(input) ? input : {}
  const oauth = decodeOAuth(parts["oauth"], options)
  const limits = decodeLimits(parts["limits"] ?? {})
  const tools: ConfigResult<ToolRules | undefined> =
    parts["tools"] === undefined ? Result.succeed(undefined) : decodeToolRules(parts["tools"])
  const config =
    parts["config"] === undefined ? missing("a `url` or a `command`") : decodeServerConfig(parts["config"])
  const problems = [
    ...problemsOf(entry),
    ...problemsAt(["config"], problemsOf(config)),
    ...problemsAt(["config"], tokenProblems(parts["config"], parts["oauth"])),
    ...problemsAt(["oauth"], problemsOf(oauth)),
    ...problemsAt(["oauth"], discoveryProblems(parts["config"], parts["oauth"])),
    ...problemsAt(["limits"], problemsOf(limits)),
    ...problemsAt(["tools"], problemsOf(tools))
  ]
  return problems.length === 0
    ? Result.map(Result.all({ entry, config, oauth, limits, tools }), assemble)
    : Result.fail(new ConfigError({ problems }))
}

const missing = (what: string) =>
  Result.fail(new ConfigError({ problems: [{ path: [], message: `required: ${what}` }] }))

const problemsOf = (result: ConfigResult<unknown>): ReadonlyArray<ConfigProblem> =>
  Result.isFailure(result) ? result.failure.problems : []

const isJsonObject = (input: unknown): input is Readonly<Record<string, unknown>> =>
  Predicate.isObject(input) && !Array.isArray(input)

const assemble = (parts: {
  readonly entry: typeof Names.Type
  readonly config: ServerConfig
  readonly oauth: OAuthConfig | undefined
  readonly limits: LimitsSetting
  readonly tools: ToolRules | undefined
}): ServerEntry => {
  const { config, entry, limits, oauth, tools } = parts
  const { serverName = "", userAgent } = entry
  const startTimeoutSeconds = config.startTimeoutSeconds ?? 60
  const proxies = entry.proxy === undefined ? undefined : proxiesOf(entry.proxy)
  return config.url === undefined
    ? {
        _tag: "Stdio",
        serverName,
        command: config.command ?? "",
        args: config.args ?? [],
        env: config.env ?? {},
        cwd: config.cwd,
        startTimeoutSeconds,
        tokenRenewal:
          config.tokenFileEnv === undefined
            ? { _tag: "Restart" }
            : { _tag: "File", variable: config.tokenFileEnv },
        oauth,
        userAgent,
        proxies,
        limits,
        tools
      }
    : {
        _tag: "Http",
        serverName,
        transport: config.transport === "sse" ? "sse" : "http",
        startTimeoutSeconds,
        url: config.url,
        headers: config.headers ?? {},
        oauth,
        userAgent,
        proxies,
        limits,
        tools
      }
}

const wireNames = { serverName: "server_name", userAgent: "user_agent" } as const

const Names = Schema.Struct({
  serverName: Schema.optionalKey(Schema.String),
  userAgent: Schema.optionalKey(Schema.String),
  proxy: Schema.optionalKey(ProxySetting)
}).pipe(Schema.encodeKeys(wireNames))

const decodeNames = decodeConfig({
  schema: Names,
  keys: ["server_name", "config", "oauth", "limits", "tools", "user_agent", "proxy"],
  wireNames,
  rules: ({ proxy, serverName, userAgent }) => {
    const problems = [
      { path: ["proxy"], message: proxy === undefined ? undefined : proxyProblem(proxy) },
      { path: ["server_name"], message: serverNameProblem(serverName) },
      { path: ["user_agent"], message: userAgent === undefined ? undefined : userAgentProblem(userAgent) }
    ]
    return problems.flatMap(({ message, path }) => (message === undefined ? [] : [{ path, message }]))
  }
})

const serverNameProblem = (serverName: string | undefined): string | undefined => {
  if (serverName === undefined) return "required"
  if (!/^[A-Za-z0-9._-]+$/.test(serverName)) return "must be letters, digits, `.`, `_` and `-`"
  // Clients and servers resolve these as relative segments of /servers/:server_name/mcp.
  return /^\.\.?$/.test(serverName) ? "must not be `.` or `..`, which no URL path can name" : undefined
}

const decodeOAuth = (
  input: unknown,
  options: DecodeOAuthConfigOptions
): ConfigResult<OAuthConfig | undefined> => {
  if (input === undefined || (isJsonObject(input) && input["enabled"] === false)) {
    return Result.succeed(undefined)
  }
  return isJsonObject(input) && input["enabled"] === undefined
    ? Result.map(checkOAuthKeys(options)(input), () => undefined)
    : decodeOAuthConfig(input, options)
}

const checkOAuthKeys = ({ grants = [] }: DecodeOAuthConfigOptions) =>
  decodeConfig({
    schema: Schema.Struct({}),
    keys: [...oauthConfigKeys, ...grants.flatMap(ownKeysOf)],
    wireNames: {},
    rules: () => []
  })

/** The rules between `config` and `oauth`. They read the file's own form, so that no other problem hides them. */
const tokenProblems = (config: unknown, oauth: unknown): ReadonlyArray<ConfigProblem> => {
  if (!isJsonObject(config)) return []
  const enabled = isJsonObject(oauth) && oauth["enabled"] === true
  return [
    ...urlProblems(config["url"], enabled ? oauth : undefined),
    ...(enabled ? authorizationHeaders(config["headers"]) : [])
  ]
}

/** A child process has no URL from which the authorization server could be discovered. */
const discoveryProblems = (config: unknown, oauth: unknown): ReadonlyArray<ConfigProblem> => {
  if (!isJsonObject(config) || !isJsonObject(oauth) || oauth["enabled"] !== true) return []
  const isMachine = (oauth["grant_type"] ?? "client_credentials") === "client_credentials"
  const isNamed = oauth["token_url"] !== undefined || oauth["issuer"] !== undefined
  return isMachine && !isNamed && config["command"] !== undefined
    ? [
        {
          path: ["token_url"],
          message: "required for a server with a `command`, unless `issuer` leads to it"
        }
      ]
    : []
}

/** A bearer token must not travel in clear text (RFC 6750 §5.3), so its server obeys the rule of the endpoints. */
const urlProblems = (
  url: unknown,
  oauth: Readonly<Record<string, unknown>> | undefined
): ReadonlyArray<ConfigProblem> => {
  if (typeof url !== "string") return []
  const message = endpointProblem(url, {
    enforceHttps: oauth !== undefined && oauth["enforce_https"] !== false,
    version: oauth?.["version"] === "2.1" ? "2.1" : "2.0",
    useMtls: oauth?.["use_mtls"] === true
  })
  // The key stands in `oauth`, not beside `url`.
  return message === undefined
    ? []
    : [{ path: ["url"], message: message.replace("`enforce_https`", "`oauth.enforce_https`") }]
}

const authorizationHeaders = (headers: unknown): ReadonlyArray<ConfigProblem> =>
  isJsonObject(headers)
    ? Object.keys(headers)
        .filter((name) => name.toLowerCase() === "authorization")
        .map((name) => ({
          path: ["headers", name],
          message: "is set by `oauth`: take it out, or set `oauth.enabled` to false"
        }))
    : []
