import type { GrantRequest, OAuthErrorReason, OAuthToken } from "@secure-mcp/oauth-core"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { AuthorizationServerMetadata } from "../discovery/AuthorizationServerMetadata.ts"
import type { Client } from "../client/Client.ts"
import type { Endpoint } from "../endpoint/Endpoint.ts"

/** Where a request's tokens come from, and who we are there. */
export interface ResolvedClient {
  /** As it was configured or discovered, for byte-wise comparison; undefined when nobody said. */
  readonly issuer: string | undefined
  readonly tokenEndpoint: Endpoint
  readonly authorizationEndpoint: Endpoint | undefined
  readonly revocationEndpoint: Endpoint | undefined
  readonly deviceAuthorizationEndpoint: Endpoint | undefined
  /** Undefined when everything was configured. */
  readonly metadata: AuthorizationServerMetadata | undefined
  /** The resource indicator to send (RFC 8707 §2): the configured one, else the discovered resource. */
  readonly resource: string | undefined
  /**
   * The scope to ask for: the challenge's and the configured one together, else what the resource's metadata lists,
   * else none. `offline_access` is the business of the grant.
   */
  readonly scope: string | undefined
  readonly client: Client
}

export interface ResolveOptions {
  /** The token whose grant goes on: its registered client is used again, if it belongs to the same issuer. */
  readonly previous?: OAuthToken | undefined
  /** Where a person who begins a grant is sent back to. Without it no client is registered. */
  readonly redirectUri?: string | undefined
  /** A person begins a grant on another device, which needs no redirect URI. */
  readonly device?: boolean | undefined
}

/** Finds the authorization server of a request, and makes us known to it where that is needed. */
export class ResolvedClients extends Context.Service<
  ResolvedClients,
  {
    /**
     * Asks nobody when everything is configured. A client is registered only when a person begins a grant; without
     * one that is configured or kept from before, anything else fails with `AuthorizationRequired`.
     */
    readonly resolve: (
      request: GrantRequest,
      options?: ResolveOptions
    ) => Effect.Effect<ResolvedClient, OAuthErrorReason>
    /** For a registered client that its server no longer knows: the next grant registers anew. */
    readonly forget: (client: Client) => Effect.Effect<void>
  }
>()("@secure-mcp/oauth-flows/ResolvedClients") {}

/** Whether a grant was given to this client by this issuer. If not, its refresh token must not be sent there. */
export const belongsTo = ({ grantedTo }: OAuthToken, { client, issuer }: ResolvedClient): boolean =>
  grantedTo !== undefined && grantedTo.clientId === client.clientId && grantedTo.issuer === issuer
