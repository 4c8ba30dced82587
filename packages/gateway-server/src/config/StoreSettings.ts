import { decodeConfig, type ConfigProblem, type ConfigResult } from "@secure-mcp/oauth-core"
import { encryptionKeyProblem } from "@secure-mcp/token-cache"
import * as Schema from "effect/Schema"

const Secret = Schema.RedactedFromValue(Schema.String)

const fields = {
  /** Where tokens are stored. Absent: a person's tokens in files, all others in memory only. */
  type: Schema.optionalKey(Schema.Literals(["memory", "file", "redis", "sqlite", "postgres"])),
  /** The folder of the file store. */
  directory: Schema.optionalKey(Schema.String),
  /** The key that stored tokens are encrypted with. */
  encryptionKey: Schema.optionalKey(Secret),
  /** Former encryption keys: tokens that were encrypted with them can still be read. */
  previousEncryptionKeys: Schema.optionalKey(Schema.Array(Secret)),
  /** Where Redis (`redis://…`, or `rediss://…` for TLS) or PostgreSQL (`postgres://…`) is, or the file of SQLite. */
  url: Schema.optionalKey(Secret),
  /** Replaces the user name in the URL. */
  username: Schema.optionalKey(Schema.String),
  /** Replaces the password in the URL. */
  password: Schema.optionalKey(Secret),
  /** PEM file with the authorities trusted for Redis or PostgreSQL, instead of the system's. */
  caBundlePath: Schema.optionalKey(Schema.String),
  /** What the sentinels at `url` call the primary. */
  sentinelName: Schema.optionalKey(Schema.NonEmptyString),
  /** The user of the sentinels, if they ask for one. */
  sentinelUsername: Schema.optionalKey(Schema.String),
  sentinelPassword: Schema.optionalKey(Secret),
  /** Whether `url` names nodes of a Redis Cluster. */
  cluster: Schema.optionalKey(Schema.Boolean),
  /** The prefix of the gateway's keys in Redis. */
  keyPrefix: Schema.optionalKey(Schema.String),
  /** How long Redis may be silent, and how long PostgreSQL may take to accept a connection. */
  timeoutSeconds: Schema.optionalKey(Schema.Finite.check(Schema.isBetween({ minimum: 0.1, maximum: 60 })))
}

const wireNames = {
  encryptionKey: "encryption_key",
  previousEncryptionKeys: "previous_encryption_keys",
  caBundlePath: "ca_bundle_path",
  keyPrefix: "key_prefix",
  sentinelName: "sentinel_name",
  sentinelUsername: "sentinel_username",
  sentinelPassword: "sentinel_password",
  timeoutSeconds: "timeout_seconds"
} as const

const StoreSettings = Schema.Struct(fields).pipe(Schema.encodeKeys(wireNames))

/** The `store` object of the configuration file. */
export interface StoreSettings extends Schema.Schema.Type<typeof StoreSettings> {}

const rules = (settings: StoreSettings): ReadonlyArray<ConfigProblem> => [
  ...foreignKeys(settings),
  ...encryptionKeys(settings),
  ...required(settings),
  ...keyPrefix(settings),
  ...topology(settings)
]

const servers = ["redis", "postgres"] as const
const databases = [...servers, "sqlite"] as const

/** A key of another store type shows that `type` is wrong. */
const foreignKeys = (settings: StoreSettings): ReadonlyArray<ConfigProblem> => {
  const { type = "file" } = settings
  const owners = [
    ["directory", settings.directory, ["file"]],
    ["encryption_key", settings.encryptionKey, ["file", ...databases]],
    ["previous_encryption_keys", settings.previousEncryptionKeys, ["file", ...databases]],
    ["url", settings.url, databases],
    ["username", settings.username, servers],
    ["password", settings.password, servers],
    ["ca_bundle_path", settings.caBundlePath, servers],
    ["key_prefix", settings.keyPrefix, ["redis"]],
    ["sentinel_name", settings.sentinelName, ["redis"]],
    ["sentinel_username", settings.sentinelUsername, ["redis"]],
    ["sentinel_password", settings.sentinelPassword, ["redis"]],
    ["cluster", settings.cluster, ["redis"]],
    ["timeout_seconds", settings.timeoutSeconds, servers]
  ] as const
  return owners
    .filter(([, value, types]) => value !== undefined && !types.some((owner) => owner === type))
    .map(([key, , types]) => ({
      path: [key],
      message: `has no effect unless \`type\` is ${listOf(types)}`
    }))
}

const listOf = (types: ReadonlyArray<string>): string => {
  const quoted = types.map((type) => `"${type}"`)
  return [quoted.slice(0, -1).join(", "), ...quoted.slice(-1)].filter((part) => part !== "").join(" or ")
}

const encryptionKeys = (settings: StoreSettings): ReadonlyArray<ConfigProblem> => {
  const keys = [
    ...(settings.encryptionKey === undefined
      ? []
      : [{ path: ["encryption_key"], secret: settings.encryptionKey }]),
    ...(settings.previousEncryptionKeys ?? []).map((secret, index) => ({
      path: ["previous_encryption_keys", index],
      secret
    }))
  ]
  return keys.flatMap(({ path, secret }) => {
    const problem = encryptionKeyProblem(secret)
    return problem === undefined ? [] : [{ path, message: problem }]
  })
}

/** What is reached over a network is shared by gateways that need the same key; a file may have its key next to it. */
const required = ({ encryptionKey, type, url }: StoreSettings): ReadonlyArray<ConfigProblem> => [
  ...((type === "redis" || type === "postgres") && encryptionKey === undefined
    ? [
        {
          path: ["encryption_key"],
          message: `required with type "${type}". A good one comes from: openssl rand -base64 32`
        }
      ]
    : []),
  ...(databases.some((database) => database === type) && url === undefined
    ? [{ path: ["url"], message: `required with type "${type}"` }]
    : [])
]

const keyPrefix = ({ keyPrefix: prefix, type }: StoreSettings): ReadonlyArray<ConfigProblem> =>
  type === "redis" && prefix !== undefined && !/^[\w.:-]+$/.test(prefix)
    ? [{ path: ["key_prefix"], message: "must be letters, digits, `.`, `_`, `:`, `-`" }]
    : []

const topology = (settings: StoreSettings): ReadonlyArray<ConfigProblem> => {
  if (settings.type !== "redis") return []
  if (settings.sentinelName !== undefined)
    return settings.cluster === true
      ? [{ path: ["cluster"], message: "a cluster has no sentinels: leave it out, or `sentinel_name`" }]
      : []
  return [
    { key: "sentinel_username", value: settings.sentinelUsername },
    { key: "sentinel_password", value: settings.sentinelPassword }
  ].flatMap(({ key, value }) =>
    value === undefined ? [] : [{ path: [key], message: "has no effect without `sentinel_name`" }]
  )
}

/** Decodes the `store` object and reports every problem at once. */
export const decodeStoreSettings: (input: unknown) => ConfigResult<StoreSettings> = decodeConfig({
  schema: StoreSettings,
  keys: ["type", "directory", "url", "username", "password", "cluster", ...Object.values(wireNames)],
  wireNames,
  rules
})
