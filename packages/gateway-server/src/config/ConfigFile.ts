import {
  ConfigError,
  decodeOAuthConfig,
  formatPath,
  problemsAt,
  type ConfigProblem,
  type DecodeOAuthConfigOptions,
  type OAuthConfig
} from "@secure-mcp/oauth-core"
import { proxiesOf } from "@secure-mcp/oauth-core/internal"
import { checkServerCertificate, ClientCertificates } from "@secure-mcp/mtls"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { decodeGatewayConfig, type GatewayConfig, rawEntries } from "./GatewayConfig.ts"
import { syntaxErrorPosition } from "./JsonSyntax.ts"
import { DefaultUserAgent } from "./UserAgent.ts"
import { readProxyVariables } from "./ProxyVariables.ts"
import { resolveReferences } from "./References.ts"
import { makeRereadSecrets } from "./RereadSecrets.ts"
import { decodeTlsSettings } from "./TlsSettings.ts"

/**
 * Reads a configuration file, resolves its references and checks it, certificates included. Nothing is sent and no port
 * is opened. Relative paths in `${file:…}` start at the file's own folder.
 *
 * `options.grants` are those that a `grant_type` may name beside the built-in ones.
 *
 * Fails with a `ConfigError` that has every problem of the file.
 */
export const loadConfigFile = Effect.fn("ConfigFile.load")(function* (
  path: string,
  options: DecodeOAuthConfigOptions = {}
) {
  const paths = yield* Path.Path
  const document = withRedisUrl(yield* readJson(path))
  const directory = paths.dirname(paths.resolve(path))
  const resolved = yield* resolveReferences(document, directory)
  const decoded = decodeGatewayConfig(resolved.value, options)
  const problems = [
    ...resolved.problems,
    ...elsewhere(resolved.problems, [
      ...(Result.isFailure(decoded) ? decoded.failure.problems : []),
      ...(yield* certificateProblems(resolved.value)),
      ...(yield* tlsProblems(resolved.value)),
      ...(yield* storeProblems(resolved.value))
    ])
  ]
  if (Result.isFailure(decoded) || problems.length > 0) return yield* new ConfigError({ problems })
  return {
    ...(yield* completed(decoded.success)),
    rereadSecrets: yield* makeRereadSecrets(document, directory, options),
    document: Redacted.make(resolved.value)
  } satisfies LoadedConfig
})

/** A configuration, and the document that it was made of. */
export interface LoadedConfig extends GatewayConfig {
  /** With its references resolved. */
  readonly document: Redacted.Redacted<unknown>
}

/** The configuration that another process has loaded and checked, from its document. */
export const loadedConfig = (document: unknown) =>
  Effect.flatMap(Effect.fromResult(decodeGatewayConfig(document)), completed)

/** What the file leaves to others is said. */
const completed = (config: GatewayConfig) =>
  Effect.flatMap(DefaultUserAgent, (userAgent) => withProxyVariables(withUserAgents(config, userAgent)))

/** What the configuration leaves to the environment: the proxy of an entry, and the hosts that need none (NO_PROXY). */
const withProxyVariables = Effect.fnUntraced(function* (config: GatewayConfig) {
  const { problems, proxies } = yield* readProxyVariables
  if (problems.length > 0 && config.servers.some((entry) => entry.proxies === undefined))
    return yield* new ConfigError({ problems })
  const { noProxy } = proxies
  const servers = config.servers.map((entry) => ({
    ...entry,
    proxies: entry.proxies === undefined ? proxies : { ...entry.proxies, noProxy }
  }))
  const { proxy } = config.gateway
  const own = proxy === undefined ? proxies : { ...proxiesOf(proxy), noProxy }
  return { ...config, servers, gateway: { ...config.gateway, proxies: own } } satisfies GatewayConfig
})

/** Each entry says its own `User-Agent`, or that of the whole file, or the gateway's. */
const withUserAgents = (config: GatewayConfig, ownUserAgent: string | undefined): GatewayConfig => ({
  ...config,
  servers: config.servers.map((entry) => ({
    ...entry,
    userAgent: entry.userAgent ?? config.gateway.userAgent ?? ownUserAgent
  }))
})

const readJson = Effect.fnUntraced(function* (path: string) {
  const files = yield* FileSystem.FileSystem
  const text = yield* files
    .readFileString(path)
    .pipe(Effect.mapError(({ reason }) => documentError(`the file ${path} cannot be read (${reason._tag})`)))
  return yield* Effect.try({
    try: (): unknown => JSON.parse(text),
    catch: () => documentError(`the file ${path} is not JSON: ${describeSyntaxError(text)}`)
  })
})

const documentError = (message: string) => new ConfigError({ problems: [{ path: [], message }] })

const describeSyntaxError = (text: string): string => {
  const { column, line } = syntaxErrorPosition(text)
  return `syntax error at line ${line}, column ${column}`
}

/** If the file has no `store.url`, use `${env:REDIS_URL}`, the conventional name. */
const withRedisUrl = (document: unknown): unknown => {
  if (!Predicate.isObject(document)) return document
  const store: unknown = Reflect.get(document, "store")
  return isRedis(store) ? { ...document, store: { url: "${env:REDIS_URL}", ...store } } : document
}

const isRedis = (store: unknown): store is object =>
  Predicate.hasProperty(store, "type") && store.type === "redis"

/** Leaves out problems at places that are known already: an unresolved reference breaks other rules as well. */
const elsewhere = (
  known: ReadonlyArray<ConfigProblem>,
  problems: ReadonlyArray<ConfigProblem>
): ReadonlyArray<ConfigProblem> => {
  const places = new Set(known.map(({ path }) => formatPath(path)))
  return problems.filter(({ path }) => !places.has(formatPath(path)))
}

/** Checks the URL of the store and the certificates it is reached with. Its client is loaded only if it is configured. */
const storeProblems = Effect.fnUntraced(function* (document: unknown) {
  const store: unknown = Predicate.hasProperty(document, "store") ? document.store : undefined
  if (!Predicate.hasProperty(store, "type") || !Predicate.isString(store.type)) return []
  const checkUrl = yield* Effect.promise(() => urlCheckOf(store))
  if (checkUrl === undefined) return []
  const url: unknown = Reflect.get(store, "url")
  const message = Predicate.isString(url) ? checkUrl(Redacted.make(url)) : undefined
  const config = certificateSettings({ oauth: { ...store, enabled: true } })
  return problemsAt(
    ["store"],
    [
      ...(message === undefined ? [] : [{ path: ["url"], message }]),
      ...(config === undefined ? [] : yield* openCertificates(config))
    ]
  )
})

/** What says why a URL is none of this type of store. */
const urlCheckOf = async (
  store: object & { readonly type: unknown }
): Promise<((url: Redacted.Redacted) => string | undefined) | undefined> => {
  switch (store.type) {
    case "redis": {
      const { redisUrlProblem } = await import("@secure-mcp/token-cache-redis")
      const isCluster = Predicate.hasProperty(store, "cluster") && store.cluster === true
      const hasSentinels = Predicate.hasProperty(store, "sentinel_name")
      return (url) => redisUrlProblem(url, isCluster ? "cluster" : hasSentinels ? "sentinel" : "single")
    }
    case "postgres":
      return (await import("@secure-mcp/token-cache-sql/postgres")).postgresUrlProblem
    case "sqlite": {
      const { sqliteUrlProblem } = await import("@secure-mcp/token-cache-sql/sqlite")
      return (url) => sqliteUrlProblem(Redacted.value(url))
    }
    default:
      return undefined
  }
}

const openCertificates = (config: OAuthConfig) =>
  Effect.flatMap(ClientCertificates, (certificates) => certificates.connection(config)).pipe(
    Effect.as([]),
    Effect.catch(({ key, problem }) => Effect.succeed([{ path: [key], message: problem }]))
  )

/** Opens the certificate of the gateway itself, even if other settings have problems. */
const tlsProblems = Effect.fnUntraced(function* (document: unknown) {
  const gateway: unknown = Predicate.hasProperty(document, "gateway") ? document.gateway : undefined
  const tls = decodeTlsSettings(Predicate.hasProperty(gateway, "tls") ? gateway.tls : undefined)
  return Result.isFailure(tls)
    ? []
    : yield* checkServerCertificate(tls.success).pipe(
        Effect.as([]),
        Effect.catch(({ key, problem }) =>
          Effect.succeed([{ path: ["gateway", "tls", key], message: problem }])
        )
      )
})

/** Opens the certificates of every entry, even if the entry has other problems. */
const certificateProblems = Effect.fnUntraced(function* (document: unknown) {
  const problems = yield* Effect.forEach(
    rawEntries(document),
    Effect.fnUntraced(function* (entry, index) {
      const config = certificateSettings(entry)
      if (config === undefined) return []
      const found = yield* openCertificates(config)
      // A client certificate that cannot be used hides problems of the authorities.
      const others =
        found.length > 0 && config.useMtls ? yield* openCertificates({ ...config, useMtls: false }) : []
      return problemsAt(["servers", index, "oauth"], [...found, ...elsewhere(found, others)])
    })
  )
  return problems.flat()
})

/** The keys of an entry's `oauth` that name certificates; undefined if `oauth` is disabled or ill-formed. */
const certificateSettings = (entry: unknown): OAuthConfig | undefined => {
  const oauth = Predicate.hasProperty(entry, "oauth") ? entry.oauth : undefined
  if (!Predicate.isObject(oauth) || Reflect.get(oauth, "enabled") !== true) return undefined
  const named = Object.entries(oauth).filter(([key]) => certificateKeys.has(key))
  // This grant requires no other key.
  const decoded = decodeOAuthConfig({ grant_type: "authorization_code", ...Object.fromEntries(named) })
  return Result.isSuccess(decoded) ? decoded.success : undefined
}

const certificateKeys: ReadonlySet<string> = new Set([
  "use_mtls",
  "client_cert_path",
  "client_key_path",
  "client_pkcs12_path",
  "client_key_passphrase",
  "ca_bundle_path"
])
