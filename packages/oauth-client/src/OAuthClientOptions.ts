import {
  type AccessTokenRequest,
  ConfigError,
  type ConfigProblem,
  type ConfigResult,
  decodeOAuthConfig,
  endpointProblem,
  type OAuthConfig,
  oauthConfigKeys
} from "@secure-mcp/oauth-core"
import { closestName } from "@secure-mcp/oauth-core/internal"
import * as Result from "effect/Result"
import { certificateKeys, type ClientCertificate, decodeCertificate } from "./CertificateOption.ts"
import type { ClientLogger } from "./ClientLogger.ts"
import { type ClientStore, decodeStore, type StoreChoice } from "./StoreOption.ts"

/** The keys of the gateway's `oauth` object, as they are written there. */
type OAuthKeys = typeof OAuthConfig.Encoded

/**
 * How tokens are obtained, and for which MCP server: one flat object. The keys in snake_case are those of the gateway's
 * `oauth` object and mean the same; `enabled` may be left out.
 */
export type OAuthClientOptions = {
  readonly [Key in keyof OAuthKeys]?: OAuthKeys[Key] | undefined
} & {
  /** The MCP server. Tokens are sent to its origin (scheme, host and port) and nowhere else. */
  readonly serverUrl: string | URL
  /** Where tokens are stored. Default: in memory, so that they end with the process. */
  readonly store?: ClientStore | undefined
  /** Where the client logs, such as `console`. Default: nowhere. */
  readonly logger?: ClientLogger | undefined
  /** The client certificate (RFC 8705) as data, where it is not in files. Switches `use_mtls` on. */
  readonly certificate?: ClientCertificate | undefined
  /** The person whose tokens these are, where clients of several people share a store. */
  readonly subject?: string | undefined
}

/** The options, checked. */
export interface ClientSettings {
  readonly config: OAuthConfig
  readonly serverUrl: URL
  /** The same object for each call: what is computed of it is remembered with it. */
  readonly request: AccessTokenRequest
  readonly store: StoreChoice
  readonly logger: ClientLogger | undefined
  /** The contents of `certificate`, by the paths under which the configuration has them. */
  readonly certificateFiles: ReadonlyMap<string, Uint8Array>
}

/** Checks the options and reports every problem at once, by key, without quoting a value. */
export const decodeOptions = (input: unknown): ConfigResult<ClientSettings> => {
  if (typeof input !== "object" || input === null)
    return failWith([{ path: [], message: "must be an object with `serverUrl` and the keys of `oauth`" }])
  const options: Readonly<Record<string, unknown>> = Object.fromEntries(
    Object.entries(input).filter(([, value]) => value !== undefined)
  )
  const certificate = decodeCertificate(options["certificate"])
  const store = decodeStore(options["store"])
  const config = decodeOAuthConfig({ enabled: true, ...oauthKeysOf(options), ...keysOf(certificate) })
  const problems = [
    ...unknownKeys(options),
    ...references(options),
    ...serverUrlProblems(options["serverUrl"], options),
    ...ownProblems(options),
    ...problemsOf(store),
    ...problemsOf(certificate),
    ...certificateConflicts(options),
    ...problemsOf(config)
  ]
  return problems.length === 0
    ? Result.map(Result.all({ certificate, config, store }), (parts) => assemble(options, parts))
    : failWith(problems)
}

const assemble = (
  options: Readonly<Record<string, unknown>>,
  parts: {
    readonly config: OAuthConfig
    readonly store: StoreChoice
    readonly certificate: { readonly files: ReadonlyMap<string, Uint8Array> } | undefined
  }
): ClientSettings => {
  const { certificate, config, store } = parts
  const { logger, subject } = options
  const resourceUrl = String(options["serverUrl"])
  const serverUrl = new URL(resourceUrl)
  return {
    config,
    serverUrl,
    request: {
      serverName: serverUrl.host,
      config,
      resourceUrl,
      ...(typeof subject === "string" ? { subject } : {})
    },
    store,
    logger: isLogger(logger) ? logger : undefined,
    certificateFiles: certificate?.files ?? new Map()
  }
}

const failWith = (problems: ReadonlyArray<ConfigProblem>) => Result.fail(new ConfigError({ problems }))

const problemsOf = (result: ConfigResult<unknown>): ReadonlyArray<ConfigProblem> =>
  Result.isFailure(result) ? result.failure.problems : []

const keysOf = (certificate: ReturnType<typeof decodeCertificate>) =>
  Result.isSuccess(certificate) ? certificate.success?.keys : undefined

const ownKeys = ["serverUrl", "store", "logger", "certificate", "subject"] as const

const allKeys = [...ownKeys, ...oauthConfigKeys]

const oauthKeysOf = (options: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(options).filter(([key]) => oauthConfigKeys.includes(key)))

const unknownKeys = (options: Readonly<Record<string, unknown>>): ReadonlyArray<ConfigProblem> =>
  Object.keys(options)
    .filter((key) => !allKeys.includes(key))
    .map((key) => {
      const meant = closestName(key, allKeys)
      const hint = key === "oauth" ? ": its keys stand directly in the options" : undefined
      return {
        path: [key],
        message: `unknown key${hint ?? (meant === undefined ? "" : `: did you mean \`${meant}\`?`)}`
      }
    })

/** Keys whose file is read anew for each request. */
const readFromFiles: ReadonlySet<string> = new Set(["assertion", "subject_token"])

/** A reference that is copied from the gateway's file would be sent as it stands. */
const references = (options: Readonly<Record<string, unknown>>): ReadonlyArray<ConfigProblem> =>
  Object.entries(options)
    .filter(([key, value]) => {
      const kind = typeof value === "string" ? /^\$\{(env|file):[^}]*\}$/.exec(value)?.[1] : undefined
      return kind === "env" || (kind === "file" && !readFromFiles.has(key))
    })
    .map(([key]) => ({
      path: [key],
      message: "is a reference, which only the gateway resolves: read it yourself, as from process.env"
    }))

/** A bearer token must not travel in clear text (RFC 6750 §5.3), so its server obeys the rule of the endpoints. */
const serverUrlProblems = (
  serverUrl: unknown,
  options: Readonly<Record<string, unknown>>
): ReadonlyArray<ConfigProblem> => {
  if (serverUrl === undefined)
    return [{ path: ["serverUrl"], message: "required: the URL of the MCP server" }]
  if (typeof serverUrl !== "string" && !(serverUrl instanceof URL))
    return [{ path: ["serverUrl"], message: "must be a string or a URL" }]
  const message = endpointProblem(String(serverUrl), {
    enforceHttps: options["enforce_https"] !== false,
    version: options["version"] === "2.1" ? "2.1" : "2.0",
    useMtls: options["use_mtls"] === true || options["certificate"] !== undefined
  })
  return message === undefined ? [] : [{ path: ["serverUrl"], message }]
}

const ownProblems = ({
  enabled,
  logger,
  subject
}: Readonly<Record<string, unknown>>): ReadonlyArray<ConfigProblem> => [
  ...(enabled === false
    ? [{ path: ["enabled"], message: "must be true or left out: without it there is nothing to do" }]
    : []),
  ...(logger === undefined || isLogger(logger)
    ? []
    : [
        {
          path: ["logger"],
          message: "must have `debug`, `info`, `warn` or `error` as methods, like `console`"
        }
      ]),
  ...(subject === undefined || (typeof subject === "string" && subject !== "")
    ? []
    : [{ path: ["subject"], message: "must be a string that is not empty" }])
]

const isLogger = (value: unknown): value is ClientLogger =>
  typeof value === "object" &&
  value !== null &&
  ["debug", "info", "warn", "error"].some((name) => typeof Reflect.get(value, name) === "function")

const certificateConflicts = (options: Readonly<Record<string, unknown>>): ReadonlyArray<ConfigProblem> => {
  if (options["certificate"] === undefined) return []
  const files = certificateKeys
    .filter((key) => options[key] !== undefined)
    .map((key) => ({ path: [key], message: "cannot stand next to `certificate`" }))
  return options["use_mtls"] === false
    ? [...files, { path: ["use_mtls"], message: "must not be false next to `certificate`" }]
    : files
}
