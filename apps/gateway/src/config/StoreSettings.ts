import { decodeConfig, type ConfigProblem, type ConfigResult } from "@secure-mcp/oauth-core"
import * as Schema from "effect/Schema"

const Secret = Schema.RedactedFromValue(Schema.String)

const fields = {
  /** Where every token is kept. Absent: what a person granted in files, all other tokens in memory. */
  type: Schema.optionalKey(Schema.Literals(["memory", "file"])),
  /** The folder of the file store. */
  directory: Schema.optionalKey(Schema.String),
  /** What tokens outside this process are encrypted with. */
  encryptionKey: Schema.optionalKey(Secret),
  /** Keys of the past, with which tokens can still be read. */
  previousEncryptionKeys: Schema.optionalKey(Schema.Array(Secret))
}

const wireNames = {
  encryptionKey: "encryption_key",
  previousEncryptionKeys: "previous_encryption_keys"
} as const

const StoreSettings = Schema.Struct(fields).pipe(Schema.encodeKeys(wireNames))

/** The `store` object of the configuration file. */
export interface StoreSettings extends Schema.Schema.Type<typeof StoreSettings> {}

const rules = (settings: StoreSettings): ReadonlyArray<ConfigProblem> => {
  const forFiles = {
    directory: settings.directory,
    encryption_key: settings.encryptionKey,
    previous_encryption_keys: settings.previousEncryptionKeys
  }
  return Object.entries(forFiles).flatMap(([key, value]) =>
    settings.type === "memory" && value !== undefined
      ? [{ path: [key], message: 'has no effect with type "memory"' }]
      : []
  )
}

/** Decodes the `store` object and reports every problem at once. */
export const decodeStoreSettings: (input: unknown) => ConfigResult<StoreSettings> = decodeConfig({
  schema: StoreSettings,
  keys: ["type", "directory", ...Object.values(wireNames)],
  wireNames,
  rules
})
