import {
  AuthorizationRequired,
  DiscoveryFailed,
  isPersonalGrant,
  Misconfigured
} from "@secure-mcp/oauth-core"
import type { GrantRequest, OAuthConfig, OAuthErrorReason, OAuthToken } from "@secure-mcp/oauth-core"
import * as Cache from "effect/Cache"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Hash from "effect/Hash"
import * as Layer from "effect/Layer"
import type { AuthorizationServerMetadata } from "../discovery/AuthorizationServerMetadata.ts"
import type { Client } from "../client/Client.ts"
import { type ClientMetadata, clientMetadata, registerClient } from "./ClientRegistration.ts"
import { configuredClient, documentedClient } from "./ConfiguredClient.ts"
import { withoutQuery } from "../endpoint/DisplayUrl.ts"
import { EndpointClient } from "../endpoint/EndpointClient.ts"
import type { ResolveOptions } from "./ResolvedClient.ts"

/** At an authorization server that was discovered. */
export interface IdentityQuestion {
  readonly request: GrantRequest
  readonly metadata: AuthorizationServerMetadata
  /** All that may be asked for. */
  readonly scope: string | undefined
  readonly options: ResolveOptions
}

/**
 * Who we are at an authorization server, in the order of the MCP specification: the configured client; the URL of our
 * metadata document, where the server reads such; a client registered there. A registered client stays with the
 * issuer that registered it.
 */
export class ClientIdentity extends Context.Service<
  ClientIdentity,
  {
    readonly identify: (question: IdentityQuestion) => Effect.Effect<Client, OAuthErrorReason>
    /** The next question registers anew. */
    readonly forget: (client: Client) => Effect.Effect<void>
  }
>()("@secure-mcp/oauth-flows/ClientIdentity") {
  static readonly layer: Layer.Layer<ClientIdentity, never, EndpointClient> = Layer.effect(
    ClientIdentity,
    Effect.suspend(() => make)
  )
}

const make = Effect.gen(function* () {
  const registrations = yield* makeRegistrations
  const issuers = new WeakMap<OAuthConfig, string>()

  const identify = Effect.fn("ClientIdentity.identify")(function* (question: IdentityQuestion) {
    const { metadata, options, request } = question
    const { config } = request
    if (config.clientId !== undefined) {
      yield* sameIssuer(issuers, question)
      return yield* configuredClient(config, metadata.issuer, metadata)
    }
    if (config.clientMetadataUrl !== undefined && metadata.clientIdMetadataDocumentSupported === true) {
      return documentedClient(config, config.clientMetadataUrl, metadata.issuer, metadata)
    }
    const kept = yield* keptClient(options.previous, metadata.issuer)
    return kept ?? (yield* registrations.get(question))
  })

  return ClientIdentity.of({ identify, forget: registrations.forget })
})

/**
 * A configured client belongs to one authorization server. If the MCP server suddenly names another one, our
 * credentials must not go there (MCP: Authorization Server Binding).
 */
const sameIssuer = (
  issuers: WeakMap<OAuthConfig, string>,
  { metadata: { issuer }, options, request: { config } }: IdentityQuestion
) =>
  Effect.suspend(() => {
    const known = config.issuer ?? options.previous?.grantedTo?.issuer ?? issuers.get(config) ?? issuer
    if (known !== issuer) {
      return Effect.fail(
        new DiscoveryFailed({
          url: withoutQuery(issuer),
          problem:
            "the MCP server names another authorization server than the one our client belongs to. " +
            "If that is right, configure `issuer` and the client's credentials there"
        })
      )
    }
    issuers.set(config, issuer)
    return Effect.void
  })

/** The registered client of a grant that goes on, unless its secret has ended. */
const keptClient = (previous: OAuthToken | undefined, issuer: string): Effect.Effect<Client | undefined> =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    const granted = previous?.grantedTo
    if (granted?.tokenEndpointAuthMethod === undefined || granted.issuer !== issuer) return undefined
    const { clientId, clientSecret, clientSecretExpiresAt, tokenEndpointAuthMethod } = granted
    if (clientSecretExpiresAt !== undefined && clientSecretExpiresAt <= now) return undefined
    return {
      clientId,
      clientSecret,
      clientSecretExpiresAt,
      authenticationMethod: tokenEndpointAuthMethod,
      audience: issuer,
      source: "registered"
    }
  })

/** Registrations of each kind, the one that was not used for longest leaves first. */
const capacity = 1000

/** Registers once for the same issuer and the same metadata, also when many ask at once, until the secret ends. */
const makeRegistrations = Effect.gen(function* () {
  const keys = new WeakMap<Client, Registration>()
  const cache = yield* Cache.makeWith(register, {
    capacity,
    timeToLive: (exit) => (Exit.isSuccess(exit) ? exit.value.lifetime : Duration.zero)
  })

  const get = Effect.fnUntraced(function* ({ metadata, options, request, scope }: IdentityQuestion) {
    const { redirectUri } = options
    const { issuer, registrationEndpoint } = metadata
    if (!isPersonalGrant(request.config.grantType)) {
      return yield* new Misconfigured({ problem: "`client_id` is not configured" })
    }
    if (redirectUri === undefined && options.device !== true) return yield* new AuthorizationRequired({})
    if (registrationEndpoint === undefined) {
      return yield* new Misconfigured({
        problem: `the authorization server ${withoutQuery(issuer)} registers no clients: configure \`client_id\``
      })
    }
    const asked = yield* clientMetadata(request.config, metadata, redirectUri, scope)
    const key = new Registration(request, { issuer, registrationEndpoint }, asked)
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

const register = Effect.fnUntraced(function* ({ asked, at, request }: Registration) {
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

/** Equal to another one at the same issuer for the same metadata. */
class Registration implements Equal.Equal {
  readonly request: GrantRequest
  readonly at: { readonly issuer: string; readonly registrationEndpoint: string }
  readonly asked: ClientMetadata
  readonly #identity: string

  constructor(request: GrantRequest, at: Registration["at"], asked: ClientMetadata) {
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
    return that instanceof Registration && that.#identity === this.#identity
  }

  [Hash.symbol](): number {
    return Hash.string(this.#identity)
  }
}
