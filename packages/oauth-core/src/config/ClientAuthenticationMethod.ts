import * as Schema from "effect/Schema"

/**
 * How a client authenticates at the token endpoint (RFC 6749 §2.3, RFC 7523 §2.2, RFC 8705 §2), in the names of
 * the IANA registry "OAuth Token Endpoint Authentication Methods".
 */
export const clientAuthenticationMethods = [
  "client_secret_basic",
  "client_secret_post",
  "none",
  "private_key_jwt",
  "tls_client_auth",
  "self_signed_tls_client_auth"
] as const

/** How a client authenticates at the token endpoint. */
export const ClientAuthenticationMethod = Schema.Literals(clientAuthenticationMethods)

/** How a client authenticates at the token endpoint. */
export type ClientAuthenticationMethod = typeof ClientAuthenticationMethod.Type
