import * as Cache from "effect/Cache"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Hash from "effect/Hash"
import * as Layer from "effect/Layer"
import type { OAuthErrorReason } from "./errors/OAuthErrorReason.ts"
import type { GrantedClient } from "./OAuthToken.ts"

/** Which client is wanted. What is registered for one registration serves every later one that is equal. */
export interface ClientRegistration {
  /** The authorization server, as it was configured or discovered. */
  readonly issuer: string
  /** SHA-256, in hex, of everything the registration asks for (RFC 7591 §2) and of where it is sent. */
  readonly fingerprint: string
}

/**
 * Port: the clients that were registered dynamically (RFC 7591), so that logins one after the other are one client.
 *
 * Need not be provided: `oauth-flows` has them in memory then, and each process registers its own.
 * `StoredRegisteredClients` of `@secure-mcp/token-cache` stores them with the tokens.
 */
export class RegisteredClients extends Context.Service<
  RegisteredClients,
  {
    /**
     * The client of a registration whose secret has not expired, else a new one: many who ask at once register once,
     * in all processes that share the clients.
     *
     * @param register gives the client with its `issuer`
     */
    readonly obtain: (
      registration: ClientRegistration,
      register: Effect.Effect<GrantedClient, OAuthErrorReason>
    ) => Effect.Effect<GrantedClient, OAuthErrorReason>
    /** Forgets a client that its server no longer knows. Another one that has replaced it stays. */
    readonly forget: (issuer: string, clientId: string) => Effect.Effect<void>
  }
>()("@secure-mcp/oauth-core/RegisteredClients") {
  /** In the memory of this process. The least recently used of a thousand clients is evicted first. */
  static readonly layerMemory: Layer.Layer<RegisteredClients> = Layer.effect(
    RegisteredClients,
    Effect.suspend(() => make)
  )
}

const capacity = 1000

const make = Effect.gen(function* () {
  const cache = yield* Cache.makeWith(({ register }: RegistrationKey) => register, {
    capacity,
    timeToLive: (exit, _key) => (Exit.isSuccess(exit) ? Duration.infinity : Duration.zero)
  })

  return RegisteredClients.of({
    obtain: Effect.fnUntraced(function* (registration, register) {
      const key = new RegistrationKey(registration, register)
      const client = yield* Cache.get(cache, key)
      if (isSecretValid(client, yield* Clock.currentTimeMillis)) return client
      yield* Cache.invalidate(cache, key)
      return yield* Cache.get(cache, key)
    }),
    forget: Effect.fnUntraced(function* (issuer, clientId) {
      for (const [key, client] of yield* Cache.entries(cache)) {
        if (key.registration.issuer === issuer && client.clientId === clientId) {
          yield* Cache.invalidate(cache, key)
        }
      }
    })
  })
})

/**
 * Whether the secret of a registered client is good now.
 *
 * @param now in milliseconds since the epoch
 */
export const isSecretValid = (
  { clientSecretExpiresAt }: Pick<GrantedClient, "clientSecretExpiresAt">,
  now: number
): boolean => clientSecretExpiresAt === undefined || now < clientSecretExpiresAt

class RegistrationKey implements Equal.Equal {
  readonly registration: ClientRegistration
  readonly register: Effect.Effect<GrantedClient, OAuthErrorReason>

  constructor(registration: ClientRegistration, register: RegistrationKey["register"]) {
    this.registration = registration
    this.register = register
  }

  [Equal.symbol](that: Equal.Equal): boolean {
    return (
      that instanceof RegistrationKey &&
      that.registration.issuer === this.registration.issuer &&
      that.registration.fingerprint === this.registration.fingerprint
    )
  }

  [Hash.symbol](): number {
    return Hash.string(this.registration.fingerprint)
  }
}
