import type { ClientAuthenticationMethod, GrantedClient } from "@secure-mcp/oauth-core"
import * as Redacted from "effect/Redacted"

/** Our OAuth client at one authorization server, and how it authenticates. */
export interface Client {
  readonly clientId: string
  readonly clientSecret: Redacted.Redacted | undefined
  /** When the secret expires, in milliseconds since the epoch; undefined if it does not. */
  readonly clientSecretExpiresAt: number | undefined
  readonly authenticationMethod: ClientAuthenticationMethod
  /** The `aud` of a client assertion: the issuer, or the token endpoint where no issuer is known (RFC 7523 §3). */
  readonly audience: string
  /** Where it comes from. A registered client is stored with the token that it obtained. */
  readonly source: "configured" | "metadata_document" | "registered"
}

/** What a grant was asked for with, and at which issuer. */
export interface AskedFor {
  readonly issuer: string | undefined
  readonly resource: string | undefined
  /** As it was written in the request. */
  readonly scope: string | undefined
  readonly tokenEndpoint: { readonly url: string; readonly discovered: boolean }
  readonly revocationEndpoint: { readonly url: string } | undefined
}

/** What a token of a grant remembers of the client and the request, so that it can be refreshed after a restart. */
export const grantedClient = (
  client: Client,
  { issuer, resource, revocationEndpoint, scope, tokenEndpoint }: AskedFor
): GrantedClient => ({
  ...(issuer === undefined ? {} : { issuer }),
  ...(resource === undefined ? {} : { resource }),
  ...(scope === undefined ? {} : { scope }),
  tokenEndpoint: Redacted.make(tokenEndpoint.url),
  ...(revocationEndpoint === undefined ? {} : { revocationEndpoint: Redacted.make(revocationEndpoint.url) }),
  clientId: client.clientId,
  ...(tokenEndpoint.discovered ? { tokenEndpointAuthMethod: client.authenticationMethod } : {}),
  ...(client.source === "registered" ? registration(client) : {})
})

/** A registered client as it is stored for later grants. */
export const grantedRegistration = (client: Client, issuer: string): GrantedClient => ({
  issuer,
  clientId: client.clientId,
  ...registration(client)
})

const registration = ({ authenticationMethod, clientSecret, clientSecretExpiresAt }: Client) => ({
  ...(clientSecret === undefined ? {} : { clientSecret }),
  ...(clientSecretExpiresAt === undefined ? {} : { clientSecretExpiresAt }),
  tokenEndpointAuthMethod: authenticationMethod
})
