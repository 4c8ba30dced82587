import * as Predicate from "effect/Predicate"

/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>

export const isJsonObject = (value: unknown): value is JsonObject =>
  Predicate.isObject(value) && !Array.isArray(value)

/** The object itself, or an empty one. */
export const objectOf = (value: unknown): JsonObject => (isJsonObject(value) ? value : {})

/** A scalar as a text, the way a command line or an environment has it; null and everything else is not there. */
export const textOf = (value: unknown): string | undefined =>
  typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? String(value)
    : undefined

/** Whether a value says anything: null, and empty lists and objects, do not. */
export const saysSomething = (value: unknown): boolean =>
  value !== null && value !== undefined && !(typeof value === "object" && Object.values(value).length === 0)
