import { hash, randomBytes } from "node:crypto"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { CallerRefused } from "./CallerRefused.ts"
import { type Caller, type CallerMethod, Callers } from "./Callers.ts"

/** An API key, and whose it is. */
export interface ApiKeyOf {
  readonly key: Redacted.Redacted
  /** The name of the person or program. Default: one that is derived from the key. */
  readonly subject?: string | undefined
}

/** @param apiKeys of equal ones the first one counts */
const method = (apiKeys: ReadonlyArray<ApiKeyOf>): CallerMethod => {
  const callerOf = makeKnownKeys(apiKeys)
  return {
    identify: ({ authorization }) => {
      const caller = callerOf(authorization)
      return caller && Result.succeed(caller)
    },
    refuse: () => CallerRefused.required("This gateway wants one of its API keys as Authorization: Bearer")
  }
}

/**
 * Keys are looked up by a digest that only this process can compute. So a caller learns nothing of a key from how long that
 * takes, and it takes the same time however many keys there are.
 */
const makeKnownKeys = (apiKeys: ReadonlyArray<ApiKeyOf>) => {
  const secret = randomBytes(32).toString("base64url")
  const digest = (key: string) => hash("sha256", secret + key, "base64url")
  const callers = new Map(
    apiKeys.toReversed().map((apiKey) => [digest(Redacted.value(apiKey.key)), callerWith(apiKey)])
  )
  return (authorization: string | undefined): Caller | undefined =>
    callers.get(digest(/^Bearer +(\S+)$/i.exec(authorization ?? "")?.[1] ?? ""))
}

/** A key without a subject stands for a person too: the subject is then derived from the key. */
const callerWith = ({ key, subject }: ApiKeyOf): Caller => ({
  subject: subject ?? `key-${hash("sha256", Redacted.value(key), "hex").slice(0, 16)}`
})

/**
 * Callers with an API key, which they send as `Authorization: Bearer`.
 *
 * @example
 * ```ts
 * import { ApiKeys } from "@secure-mcp/inbound-auth"
 * import * as Redacted from "effect/Redacted"
 *
 * export const CallersLive = ApiKeys.layer([{ key: Redacted.make("a-key-of-sixteen-characters"), subject: "ada" }])
 * ```
 */
export const ApiKeys = {
  method,
  layer: (apiKeys: ReadonlyArray<ApiKeyOf>): Layer.Layer<Callers> =>
    Callers.layerOf([Effect.succeed(method(apiKeys))])
}
