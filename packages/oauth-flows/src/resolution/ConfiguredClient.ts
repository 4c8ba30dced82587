import { Misconfigured } from "@secure-mcp/oauth-core"
import type { ClientAuthenticationMethod, OAuthConfig } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import type { AuthorizationServerMetadata } from "../discovery/AuthorizationServerMetadata.ts"
import type { Client } from "../client/Client.ts"

/** What a server says about how clients authenticate. */
type AuthenticationMetadata = Pick<AuthorizationServerMetadata, "tokenEndpointAuthMethodsSupported">

/**
 * The client a configuration names.
 *
 * @param audience of client assertions
 */
export const configuredClient = (
  config: OAuthConfig,
  audience: string,
  metadata: AuthenticationMetadata | undefined
): Effect.Effect<Client, Misconfigured> =>
  config.clientId === undefined
    ? Effect.fail(new Misconfigured({ problem: "`client_id` is not configured" }))
    : Effect.succeed({
        clientId: config.clientId,
        clientSecret: config.clientSecret,
        clientSecretExpiresAt: undefined,
        authenticationMethod: configuredMethod(config, metadata),
        audience,
        source: "configured"
      })

/** A client that is identified by a public document (Client ID Metadata Document) has no shared secret. */
export const documentedClient = (
  config: OAuthConfig,
  clientId: string,
  audience: string,
  metadata: AuthenticationMetadata | undefined
): Client => ({
  clientId,
  clientSecret: undefined,
  clientSecretExpiresAt: undefined,
  authenticationMethod: documentedMethod(config, metadata),
  audience,
  source: "metadata_document"
})

const documentedMethod = (
  config: OAuthConfig,
  metadata: AuthenticationMetadata | undefined
): ClientAuthenticationMethod => {
  const { tokenEndpointAuthMethod: method } = config
  if (method === "tls_client_auth" || method === "self_signed_tls_client_auth") return method
  if (config.privateKey === undefined) return "none"
  const supported = metadata?.tokenEndpointAuthMethodsSupported ?? ["private_key_jwt"]
  return supported.includes("private_key_jwt") ? "private_key_jwt" : "none"
}

/**
 * How a configured client authenticates: as configured, else with the strongest of its credentials, in the way the
 * server says it takes them. Where that does not decide between the two ways to send a secret, `use_basic_auth` does.
 */
export const configuredMethod = (
  config: OAuthConfig,
  metadata: AuthenticationMetadata | undefined
): ClientAuthenticationMethod => {
  const supported = metadata?.tokenEndpointAuthMethodsSupported
  const able = methodsOf(config)
  return (
    config.tokenEndpointAuthMethod ?? able.find((method) => supported?.includes(method)) ?? able[0] ?? "none"
  )
}

/** The methods that the configuration has credentials for, in order of preference. */
const methodsOf = (config: OAuthConfig): ReadonlyArray<ClientAuthenticationMethod> => {
  const methods: Array<ClientAuthenticationMethod> = []
  if (config.privateKey !== undefined) methods.push("private_key_jwt")
  if (config.clientSecret !== undefined) {
    methods.push(
      ...(config.useBasicAuth
        ? (["client_secret_basic", "client_secret_post"] as const)
        : (["client_secret_post", "client_secret_basic"] as const))
    )
  }
  if (methods.length > 0) return methods
  return config.useMtls ? ["tls_client_auth", "self_signed_tls_client_auth"] : ["none"]
}
