import {
  AuthorizationRequired,
  DiscoveryFailed,
  isPersonalGrant,
  Misconfigured
} from "@secure-mcp/oauth-core"
import type { GrantRequest, OAuthConfig, OAuthErrorReason, OAuthToken } from "@secure-mcp/oauth-core"
import { isSecretValid } from "@secure-mcp/oauth-core/internal"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Client } from "../client/Client.ts"
import type { AuthorizationServerMetadata } from "../discovery/AuthorizationServerMetadata.ts"
import { withoutQuery } from "../endpoint/Endpoint.ts"
import { assertionAudience } from "../discovery/Issuer.ts"
import type { EndpointClient } from "../endpoint/EndpointClient.ts"
import { configuredClient, documentedClient } from "./ConfiguredClient.ts"
import { clientOf, type ClientPlan, makeRegisteredClients } from "./RegisteredClients.ts"

/** What is known of a grant before its client is. */
export interface GrantContext {
  /** The token to be renewed or revoked: its registered client is used again, if it belongs to the same issuer. */
  readonly previous?: OAuthToken | undefined
  /** Where a person who begins a grant is sent back to. Without it no client is registered. */
  readonly redirectUri?: string | undefined
  /** True when a person begins a grant on another device, which needs no redirect URI. */
  readonly device?: boolean | undefined
  /** Read the metadata of the MCP server again, which may have moved to another authorization server. */
  readonly fresh?: boolean | undefined
}

/** Asks for the client to use at an authorization server that was discovered. */
export interface ClientLookup {
  readonly request: GrantRequest
  /** What identifies the server, whatever its metadata calls it. */
  readonly issuer: string
  readonly metadata: AuthorizationServerMetadata
  /** All that may be requested later. */
  readonly scope: string | undefined
  readonly context: GrantContext
}

/**
 * Which client to be at an authorization server, in the order of the MCP specification: the configured client; the
 * URL of our client metadata document, where the server supports it; a client registered there. A registered client
 * is never used at another issuer.
 */
export class ClientIdentity extends Context.Service<
  ClientIdentity,
  {
    readonly identify: (lookup: ClientLookup) => Effect.Effect<Client, OAuthErrorReason>
    /** What `identify` would do, without registering a client. */
    readonly plan: (lookup: ClientLookup) => Effect.Effect<ClientPlan, OAuthErrorReason>
    /** As in `GrantTargets`. */
    readonly forget: (issuer: string, client: Client) => Effect.Effect<boolean>
    readonly isForgotten: (issuer: string, client: Client) => boolean
  }
>()("@secure-mcp/oauth-flows/ClientIdentity") {
  static readonly layer: Layer.Layer<ClientIdentity, never, EndpointClient> = Layer.effect(
    ClientIdentity,
    Effect.suspend(() => make)
  )
}

const make = Effect.gen(function* () {
  const registrations = yield* makeRegisteredClients
  const issuers = new WeakMap<OAuthConfig, string>()

  /** The client that needs no registration; undefined without one, if one may be registered. */
  const findKnown = Effect.fnUntraced(function* (
    lookup: ClientLookup
  ): Effect.fn.Return<Client | undefined, OAuthErrorReason> {
    const { context, issuer, metadata, request } = lookup
    const { config } = request
    const audience = assertionAudience(issuer, metadata.issuer)
    if (config.clientId !== undefined) {
      yield* sameIssuer(issuers, lookup)
      return yield* configuredClient(config, audience, metadata)
    }
    if (config.clientMetadataUrl !== undefined && metadata.clientIdMetadataDocumentSupported === true) {
      return documentedClient(config, config.clientMetadataUrl, audience, metadata)
    }
    const registered = yield* registeredClientOf(context.previous, config, issuer, audience)
    if (registered !== undefined) return registered
    if (!isPersonalGrant(config.grantType)) {
      return yield* new Misconfigured({ problem: "`client_id` is not configured" })
    }
    return context.redirectUri === undefined && context.device !== true
      ? yield* new AuthorizationRequired({})
      : undefined
  })

  const registrationOf = ({ context: { redirectUri }, ...lookup }: ClientLookup) => ({
    ...lookup,
    redirectUri
  })

  const identify = Effect.fn("ClientIdentity.identify")(function* (lookup: ClientLookup) {
    return (yield* findKnown(lookup)) ?? (yield* registrations.get(registrationOf(lookup)))
  })

  const plan = Effect.fn("ClientIdentity.plan")(function* (
    lookup: ClientLookup
  ): Effect.fn.Return<ClientPlan, OAuthErrorReason> {
    const client = yield* findKnown(lookup)
    return client === undefined
      ? yield* registrations.plan(registrationOf(lookup))
      : { _tag: "Known", client }
  })

  const { forget, isForgotten } = registrations
  return ClientIdentity.of({ identify, plan, forget, isForgotten })
})

/**
 * A configured client belongs to one authorization server. If the MCP server suddenly names another one, our
 * credentials must not go there (MCP: Authorization Server Binding).
 */
const sameIssuer = (
  issuers: WeakMap<OAuthConfig, string>,
  { context, issuer, request: { config } }: ClientLookup
) =>
  Effect.suspend(() => {
    const known = config.issuer ?? context.previous?.grantedTo?.issuer ?? issuers.get(config) ?? issuer
    if (known !== issuer) {
      return Effect.fail(
        new DiscoveryFailed({
          url: withoutQuery(issuer),
          problem:
            `the MCP server names another authorization server than ${withoutQuery(known)}, the one our client ` +
            "belongs to. " +
            "If that is right, configure `issuer` and the client's credentials there"
        })
      )
    }
    issuers.set(config, issuer)
    return Effect.void
  })

/** The registered client that a grant was given to, unless its secret has expired. */
export const registeredClientOf = (
  previous: OAuthToken | undefined,
  config: OAuthConfig,
  issuer: string,
  audience: string
): Effect.Effect<Client | undefined> =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    const granted = previous?.grantedTo
    if (granted?.tokenEndpointAuthMethod === undefined || granted.issuer !== issuer) return undefined
    if (granted.clientId === config.clientMetadataUrl || !isSecretValid(granted, now)) return undefined
    return clientOf(granted, audience)
  })
