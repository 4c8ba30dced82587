import { Misconfigured } from "@secure-mcp/oauth-core"
import type { GrantRequest } from "@secure-mcp/oauth-core"
import * as Cache from "effect/Cache"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Hash from "effect/Hash"
import type { Client } from "../client/Client.ts"
import type { AuthorizationServerMetadata } from "../discovery/AuthorizationServerMetadata.ts"
import { assertionAudience } from "../discovery/Issuer.ts"
import { withoutQuery } from "../endpoint/Endpoint.ts"
import {
  type ClientMetadata,
  clientMetadata,
  registerClient,
  type RegistrationPlace
} from "./ClientRegistration.ts"

/** Asks for a client that is registered for a grant which a person begins. */
export interface RegistrationRequest {
  readonly request: GrantRequest
  /** What identifies the server, whatever its metadata calls it. */
  readonly issuer: string
  readonly metadata: AuthorizationServerMetadata
  /** Undefined for a grant on another device. */
  readonly redirectUri: string | undefined
  /** All that may be requested later. */
  readonly scope: string | undefined
}

/** Clients that this process registered. The least recently used one is evicted first. */
const capacity = 1000

/**
 * Registers once for the same issuer and the same metadata, also when many ask at once, and again after the client
 * secret has expired.
 */
export const makeRegisteredClients = Effect.gen(function* () {
  const keys = new WeakMap<Client, RegistrationKey>()
  const cache = yield* Cache.makeWith(register, {
    capacity,
    timeToLive: (exit) => (Exit.isSuccess(exit) ? exit.value.lifetime : Duration.zero)
  })

  const get = Effect.fnUntraced(function* (registration: RegistrationRequest) {
    const { issuer, metadata, redirectUri, request, scope } = registration
    const { registrationEndpoint } = metadata
    if (registrationEndpoint === undefined) {
      return yield* new Misconfigured({
        problem: `the authorization server ${withoutQuery(issuer)} registers no clients: configure \`client_id\`, and \`client_secret\` if the client has one`
      })
    }
    const asked = yield* clientMetadata(request.config, metadata, redirectUri, scope)
    const audience = assertionAudience(issuer, metadata.issuer)
    const key = new RegistrationKey(request, { issuer, audience, registrationEndpoint }, asked)
    const { client } = yield* Cache.get(cache, key)
    keys.set(client, key)
    return client
  })

  const forget = (client: Client) =>
    Effect.suspend(() => {
      const key = keys.get(client)
      return key === undefined ? Effect.void : Cache.invalidate(cache, key)
    })

  return { get, forget }
})

const register = Effect.fnUntraced(function* ({ asked, at, request }: RegistrationKey) {
  const client = yield* registerClient(request, at, asked)
  const now = yield* Clock.currentTimeMillis
  const { clientSecretExpiresAt } = client
  return {
    client,
    lifetime:
      clientSecretExpiresAt === undefined
        ? Duration.infinity
        : Duration.millis(Math.max(0, clientSecretExpiresAt - now))
  }
})

/** Equal for the same metadata at the same issuer, over a connection with the same certificate. */
class RegistrationKey implements Equal.Equal {
  readonly request: GrantRequest
  readonly at: RegistrationPlace & { readonly issuer: string }
  readonly asked: ClientMetadata
  readonly #identity: string

  constructor(request: GrantRequest, at: RegistrationKey["at"], asked: ClientMetadata) {
    this.request = request
    this.at = at
    this.asked = asked
    const { caBundlePath, clientCertPath, clientPkcs12Path } = request.config
    this.#identity = JSON.stringify([
      [at.issuer, at.registrationEndpoint],
      asked,
      [clientCertPath, clientPkcs12Path, caBundlePath]
    ])
  }

  [Equal.symbol](that: Equal.Equal): boolean {
    return that instanceof RegistrationKey && that.#identity === this.#identity
  }

  [Hash.symbol](): number {
    return Hash.string(this.#identity)
  }
}
