import { decodeConfig, type ConfigProblem, type ConfigResult } from "@secure-mcp/oauth-core"
import { encryptionKeyProblem } from "@secure-mcp/token-cache"
import * as Schema from "effect/Schema"

const Secret = Schema.RedactedFromValue(Schema.String)

const fields = {
  /** Where tokens are stored. Absent: a person's tokens in files, all others in memory only. */
  type: Schema.optionalKey(Schema.Literals(["memory", "file", "redis"])),
  /** The folder of the file store. */
  directory: Schema.optionalKey(Schema.String),
  /** The key that stored tokens are encrypted with. */
  encryptionKey: Schema.optionalKey(Secret),
  /** Former encryption keys: tokens that were encrypted with them can still be read. */
  previousEncryptionKeys: Schema.optionalKey(Schema.Array(Secret)),
  /** The URL of Redis: `redis://…`, or `rediss://…` for TLS. */
  url: Schema.optionalKey(Secret),
  /** Replaces the user name in the URL. */
  username: Schema.optionalKey(Schema.String),
  /** Replaces the password in the URL. */
  password: Schema.optionalKey(Secret),
  /** PEM file with the authorities trusted for Redis, instead of the system's. */
  caBundlePath: Schema.optionalKey(Schema.String),
  /** The prefix of the gateway's keys in Redis. */
  keyPrefix: Schema.optionalKey(Schema.String),
  /** How long Redis may be silent. */
  timeoutSeconds: Schema.optionalKey(Schema.Finite.check(Schema.isBetween({ minimum: 0.1, maximum: 60 })))
}

const wireNames = {
  encryptionKey: "encryption_key",
  previousEncryptionKeys: "previous_encryption_keys",
  caBundlePath: "ca_bundle_path",
  keyPrefix: "key_prefix",
  timeoutSeconds: "timeout_seconds"
} as const

const StoreSettings = Schema.Struct(fields).pipe(Schema.encodeKeys(wireNames))

/** The `store` object of the configuration file. */
export interface StoreSettings extends Schema.Schema.Type<typeof StoreSettings> {}

const rules = (settings: StoreSettings): ReadonlyArray<ConfigProblem> => [
  ...foreignKeys(settings),
  ...encryptionKeys(settings),
  ...redis(settings)
]

/** A key of another store type shows that `type` is wrong. */
const foreignKeys = (settings: StoreSettings): ReadonlyArray<ConfigProblem> => {
  const { type = "file" } = settings
  const owners = [
    ["directory", settings.directory, ["file"]],
    ["encryption_key", settings.encryptionKey, ["file", "redis"]],
    ["previous_encryption_keys", settings.previousEncryptionKeys, ["file", "redis"]],
    ["url", settings.url, ["redis"]],
    ["username", settings.username, ["redis"]],
    ["password", settings.password, ["redis"]],
    ["ca_bundle_path", settings.caBundlePath, ["redis"]],
    ["key_prefix", settings.keyPrefix, ["redis"]],
    ["timeout_seconds", settings.timeoutSeconds, ["redis"]]
  ] as const
  return owners
    .filter(([, value, types]) => value !== undefined && !types.some((owner) => owner === type))
    .map(([key, , types]) => ({
      path: [key],
      message: `has no effect unless \`type\` is ${types.map((owner) => `"${owner}"`).join(" or ")}`
    }))
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

const redis = (settings: StoreSettings): ReadonlyArray<ConfigProblem> => {
  if (settings.type !== "redis") return []
  const problems: Array<ConfigProblem> = []
  if (settings.encryptionKey === undefined)
    problems.push({
      path: ["encryption_key"],
      message: 'required with type "redis". A good one comes from: openssl rand -base64 32'
    })
  if (settings.url === undefined) problems.push({ path: ["url"], message: 'required with type "redis"' })
  if (settings.keyPrefix !== undefined && !/^[\w.:-]+$/.test(settings.keyPrefix))
    problems.push({ path: ["key_prefix"], message: "must be letters, digits, `.`, `_`, `:`, `-`" })
  return problems
}

/** Decodes the `store` object and reports every problem at once. */
export const decodeStoreSettings: (input: unknown) => ConfigResult<StoreSettings> = decodeConfig({
  schema: StoreSettings,
  keys: ["type", "directory", "url", "username", "password", ...Object.values(wireNames)],
  wireNames,
  rules
})
