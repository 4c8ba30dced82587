import type { GrantRequest, OAuthConfig } from "@secure-mcp/oauth-core"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Client } from "./Client.ts"
import type { RereadConfig, SecretSource } from "./SecretSource.ts"

/** Milliseconds between two readings: a server that refuses every request must not make us read for each. */
const leastInterval = 1000

/** What was read last for a configuration. */
interface Reading extends RereadConfig {
  readonly readAt: number
}

/**
 * The secrets that a client authenticates with now: those of the configuration, or those that were read again since.
 */
export const makeCurrentSecrets = (source: (typeof SecretSource)["Service"]) => {
  const readings = new WeakMap<OAuthConfig, Reading>()

  return {
    /** The configuration with the secrets to use. The same object as long as none has changed. */
    of: (config: OAuthConfig): OAuthConfig => readings.get(config)?.config ?? config,

    /**
     * Reads them again after a refusal. Gives the same `config` if none has changed; undefined if there is nowhere to
     * read them.
     *
     * @param used with which the refused request was made
     */
    reread: Effect.fnUntraced(function* (request: GrantRequest, used: OAuthConfig) {
      const { config } = request
      const last = readings.get(config)
      const now = yield* Clock.currentTimeMillis
      // Another request has read them since this one was made, or nothing can be new.
      if (last !== undefined && (last.config !== used || Math.abs(now - last.readAt) < leastInterval))
        return last
      const found = yield* source.reread(request)
      if (found === undefined) return undefined
      const reading: Reading = {
        config: sameSecrets(found.config, used) ? used : found.config,
        places: found.places,
        readAt: now
      }
      readings.set(config, reading)
      return reading
    })
  }
}

/** A client with the secret that is current. One that was registered has its own. */
export const withCurrentSecret = (client: Client, config: OAuthConfig, current: OAuthConfig): Client => {
  const { clientSecret, source } = client
  if (source !== "configured" || clientSecret === undefined) return client
  return {
    ...client,
    clientSecret:
      clientSecret === config.identityProvider?.clientSecret
        ? current.identityProvider?.clientSecret
        : current.clientSecret
  }
}

/** Whether a client authenticates with a secret that `SecretSource` may know. */
export const hasConfiguredSecret = ({ authenticationMethod, source }: Client): boolean =>
  authenticationMethod === "private_key_jwt" ||
  (source === "configured" && authenticationMethod.startsWith("client_secret"))

const sameSecrets = (a: OAuthConfig, b: OAuthConfig): boolean =>
  isSame(a.clientSecret, b.clientSecret) &&
  isSame(a.privateKey, b.privateKey) &&
  a.privateKeyId === b.privateKeyId &&
  isSame(a.identityProvider?.clientSecret, b.identityProvider?.clientSecret)

const isSame = (a: Redacted.Redacted | undefined, b: Redacted.Redacted | undefined): boolean =>
  (a && Redacted.value(a)) === (b && Redacted.value(b))
