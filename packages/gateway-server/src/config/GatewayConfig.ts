import {
  ConfigError,
  decodeConfig,
  type ConfigProblem,
  type ConfigResult,
  type DecodeOAuthConfigOptions,
  usesCallerToken
} from "@secure-mcp/oauth-core"
import { proxiesOf } from "@secure-mcp/oauth-core/internal"
import { decodeServerEntry, type ServerEntry } from "@secure-mcp/transport-injection"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { decodeGatewaySettings, type GatewaySettings } from "./GatewaySettings.ts"
import { collectProblems, part } from "./CollectedProblems.ts"
import type { RereadSecrets } from "./RereadSecrets.ts"
import { decodeStoreSettings, type StoreSettings } from "./StoreSettings.ts"

/** A decoded configuration file. */
export interface GatewayConfig {
  readonly projectId: string
  readonly configId: string
  readonly gateway: GatewaySettings
  readonly store: StoreSettings
  readonly servers: ReadonlyArray<ServerEntry>
  /** Reads the secrets of a server's client again, if the configuration was read from a file. */
  readonly rereadSecrets?: RereadSecrets | undefined
}

const wireNames = { projectId: "project_id", configId: "config_id" } as const

const Document = Schema.Struct({
  projectId: Schema.String.pipe(Schema.withDecodingDefaultKey(Effect.succeed("default"))),
  configId: Schema.String.pipe(Schema.withDecodingDefaultKey(Effect.succeed("default"))),
  gateway: Schema.Unknown.pipe(Schema.withDecodingDefaultKey(Effect.succeed({}))),
  store: Schema.Unknown.pipe(Schema.withDecodingDefaultKey(Effect.succeed({}))),
  servers: Schema.Array(Schema.Unknown).pipe(Schema.withDecodingDefaultKey(Effect.succeed([])))
}).pipe(Schema.encodeKeys(wireNames))

const decodeDocument = decodeConfig({
  schema: Document,
  keys: ["project_id", "config_id", "gateway", "store", "servers"],
  wireNames,
  rules: ({ servers }) =>
    servers.length === 0 ? [{ path: ["servers"], message: "must name at least one server" }] : []
})

/**
 * Decodes a configuration whose references are resolved. Reports every problem at once, by path; quotes no value.
 *
 * @param options.grants the grants that a `grant_type` may name beside the built-in ones
 */
export const decodeGatewayConfig = (
  input: unknown,
  options: DecodeOAuthConfigOptions = {}
): ConfigResult<GatewayConfig> => {
  const { accept, problems } = collectProblems()
  const document = accept([], decodeDocument(input))
  const gateway = accept(["gateway"], decodeGatewaySettings(part(input, "gateway") ?? {}))
  const store = accept(["store"], decodeStoreSettings(part(input, "store") ?? {}))
  const entries = rawEntries(input)
  const servers = entries.map((entry, index) => accept(["servers", index], decodeServerEntry(entry, options)))
  problems.push(...duplicateNames(entries), ...unknownServers(gateway, entries))
  if (gateway !== undefined && gateway.callers === undefined) problems.push(...tokensOfNobody(servers))
  if (document === undefined || gateway === undefined || store === undefined || problems.length > 0) {
    return Result.fail(new ConfigError({ problems }))
  }
  const { configId, projectId } = document
  return Result.succeed({
    projectId,
    configId,
    gateway,
    store,
    servers: servers.filter((entry) => entry !== undefined).map((entry) => withProxy(entry, gateway.proxy))
  })
}

/** The proxy of the whole file is that of each entry that does not say otherwise. */
const withProxy = (entry: ServerEntry, setting: GatewaySettings["proxy"]): ServerEntry =>
  entry.proxies !== undefined || setting === undefined ? entry : { ...entry, proxies: proxiesOf(setting) }

/** The entries of a document before decoding. */
export const rawEntries = (document: unknown): ReadonlyArray<unknown> => {
  const entries = part(document, "servers")
  return Array.isArray(entries) ? entries : []
}

/** Callers with an API key have no token that could be exchanged. */
const tokensOfNobody = (servers: ReadonlyArray<ServerEntry | undefined>): ReadonlyArray<ConfigProblem> =>
  servers.flatMap((entry, index) =>
    entry?.oauth === undefined || !usesCallerToken(entry.oauth)
      ? []
      : [
          {
            path: ["servers", index, "oauth"],
            message:
              "`${caller:token}` needs `gateway.callers`: nobody else sends a token that could be exchanged"
          }
        ]
  )

/** A misspelt name would leave a server open to all. */
const unknownServers = (
  gateway: GatewaySettings | undefined,
  entries: ReadonlyArray<unknown>
): ReadonlyArray<ConfigProblem> => {
  const names = new Set(entries.map((entry) => part(entry, "server_name")))
  return [...(gateway?.allow.keys() ?? [])]
    .filter((name) => !names.has(name))
    .map((name) => ({ path: ["gateway", "allow", name], message: "no server has this name" }))
}

const duplicateNames = (entries: ReadonlyArray<unknown>): ReadonlyArray<ConfigProblem> => {
  const names = entries.map((entry) => part(entry, "server_name"))
  return names.flatMap((name, index) => {
    const first = names.indexOf(name)
    return Predicate.isString(name) && first < index
      ? [
          {
            path: ["servers", index, "server_name"],
            message: `must be unique; servers[${first}] has the same name`
          }
        ]
      : []
  })
}
