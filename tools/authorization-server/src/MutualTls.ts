import { TLSSocket } from "node:tls"
import type { ClientMetadata, Configuration, KoaContextWithOIDC } from "oidc-provider"
import { X509Certificate } from "node:crypto"

/** RFC 8705: clients that authenticate by a certificate, and tokens that are bound to it. */
export const mutualTlsFeature = {
  enabled: true,
  certificateBoundAccessTokens: true,
  selfSignedTlsClientAuth: true,
  tlsClientAuth: true,
  getCertificate: (context) => certificateOf(context),
  certificateAuthorized: ({ req: { socket } }) => socket instanceof TLSSocket && socket.authorized,
  certificateSubjectMatches: (context, property, expected) =>
    property === "tls_client_auth_subject_dn" && subjectOf(certificateOf(context)) === expected
} satisfies NonNullable<Configuration["features"]>["mTLS"]

export const certificateAuthMethods = ["tls_client_auth", "self_signed_tls_client_auth"] as const

/** The provider's own paths, at another origin. */
export const mtlsEndpointAliases = (origin: string) => ({
  token_endpoint: `${origin}/token`,
  revocation_endpoint: `${origin}/token/revocation`,
  introspection_endpoint: `${origin}/token/introspection`,
  device_authorization_endpoint: `${origin}/device/auth`,
  registration_endpoint: `${origin}/reg`
})

/** The endpoints for clients that present a certificate (RFC 8705 §5). */
export type MtlsEndpointAliases = ReturnType<typeof mtlsEndpointAliases>

/**
 * Metadata of a client that authenticates with the certificate given: by its subject (`tls_client_auth`), or by that
 * very certificate (`self_signed_tls_client_auth`). Its access tokens are bound to it.
 *
 * @param certificatePem of the client
 */
export const certificateClient = (
  clientId: string,
  authMethod: (typeof certificateAuthMethods)[number],
  certificatePem: string
): ClientMetadata => {
  const certificate = new X509Certificate(certificatePem)
  return {
    client_id: clientId,
    token_endpoint_auth_method: authMethod,
    tls_client_certificate_bound_access_tokens: true,
    grant_types: ["client_credentials"],
    response_types: [],
    redirect_uris: [],
    ...(authMethod === "tls_client_auth"
      ? { tls_client_auth_subject_dn: subjectOf(certificate) }
      : { jwks: { keys: [jwkOf(certificate)] } })
  }
}

const certificateOf = ({ req: { socket } }: KoaContextWithOIDC): X509Certificate | undefined =>
  socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined

/** The distinguished name as text, the most specific part first (RFC 4514 §2.1). */
const subjectOf = (certificate: X509Certificate | undefined): string =>
  certificate?.subject.split("\n").toReversed().join(",") ?? ""

/** RFC 7517 §4.7 */
const jwkOf = (certificate: X509Certificate) => ({
  ...certificate.publicKey.export({ format: "jwk" }),
  x5c: [certificate.raw.toString("base64")]
})
