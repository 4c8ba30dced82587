import * as Predicate from "effect/Predicate"
import type { Preset } from "../providers/ProviderProfile.ts"
import { type ProviderName, providerNames, providerProfiles } from "../providers/Providers.ts"
import { type OAuthConfigFields, wireNames } from "./OAuthConfigFields.ts"

/**
 * An `oauth` object as it stands in the file, with the keys that its `provider` presets. What the object says itself
 * wins, member by member in `authorize_params` and `registration`.
 */
export const withPresets = (input: unknown): unknown => {
  const provider = isJsonObject(input) ? providerNames.find((name) => name === input["provider"]) : undefined
  return isJsonObject(input) && provider !== undefined
    ? providerProfiles[provider].presets.reduce(addPreset, input)
    : input
}

type JsonObject = Readonly<Record<string, unknown>>

const isJsonObject = (input: unknown): input is JsonObject =>
  Predicate.isObject(input) && !Array.isArray(input)

const addPreset = (input: JsonObject, { key, member, value }: Preset): JsonObject => {
  const said = input[key]
  if (member === undefined) return { [key]: value, ...input }
  return said === undefined || isJsonObject(said) ? { ...input, [key]: { [member]: value, ...said } } : input
}

/** The presets of a provider that a configuration has, and those where it says otherwise. */
export const presetsIn = (
  config: OAuthConfigFields,
  provider: ProviderName
): { readonly applied: ReadonlyArray<Preset>; readonly others: ReadonlyArray<Preset> } => {
  const applies = (preset: Preset) => valueOf(config, preset) === preset.value
  const { presets } = providerProfiles[provider]
  return { applied: presets.filter(applies), others: presets.filter((preset) => !applies(preset)) }
}

const valueOf = (config: OAuthConfigFields, { key, member }: Preset): unknown => {
  const name = Object.entries(wireNames).find(([, wire]) => wire === key)?.[0] ?? key
  const value: unknown = Reflect.get(config, name)
  return member === undefined || !isJsonObject(value) ? value : value[member]
}
