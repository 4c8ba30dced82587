import type { ClientAuthenticationMethod, GrantedClient } from "@secure-mcp/oauth-core"
import type * as Redacted from "effect/Redacted"

/** Who we are at one authorization server, and how we prove it. */
export interface Client {
  readonly clientId: string
  readonly clientSecret: Redacted.Redacted | undefined
  /** When the secret ends, in milliseconds since the epoch; undefined if it does not. */
  readonly clientSecretExpiresAt: number | undefined
  readonly authenticationMethod: ClientAuthenticationMethod
  /** The `aud` of a client assertion: the issuer, or the token endpoint where no issuer is known (RFC 7523 §3). */
  readonly audience: string
  /** How we came by it. A registered client lives with the token that it obtained. */
  readonly source: "configured" | "metadata_document" | "registered"
}

/** What a token of a person's grant remembers of the client, so that it can be refreshed after a restart. */
export const grantedClient = (client: Client, issuer: string | undefined): GrantedClient => ({
  ...(issuer === undefined ? {} : { issuer }),
  clientId: client.clientId,
  ...(client.source === "registered" ? registration(client) : {})
})

const registration = ({ authenticationMethod, clientSecret, clientSecretExpiresAt }: Client) => ({
  ...(clientSecret === undefined ? {} : { clientSecret }),
  ...(clientSecretExpiresAt === undefined ? {} : { clientSecretExpiresAt }),
  tokenEndpointAuthMethod: authenticationMethod
})
