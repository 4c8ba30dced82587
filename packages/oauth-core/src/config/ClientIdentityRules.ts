import * as Redacted from "effect/Redacted"
import { problem, type ConfigProblem } from "../problems/ConfigProblem.ts"

import type { OAuthConfigFields } from "./OAuthConfigFields.ts"

/** The identity of the client, and how it authenticates. */
export const clientIdentityRules = (config: OAuthConfigFields): ReadonlyArray<ConfigProblem> => [
  ...issuer(config),
  ...clientMetadataUrl(config),
  ...clientName(config),
  ...rawBasic(config),
  ...authenticationMethod(config),
  ...privateKey(config)
]

/** RFC 8414 §2; that it is a URL and https is the rule of every endpoint. */
const issuer = ({ issuer }: OAuthConfigFields): ReadonlyArray<ConfigProblem> =>
  issuer?.includes("?") === true ? [problem("issuer", "must not contain a query (RFC 8414 §2)")] : []

/** What Client ID Metadata Documents require of a `client_id`. A simple string comparison decides, so no dot segments. */
const clientMetadataUrl = ({ clientMetadataUrl: url }: OAuthConfigFields): ReadonlyArray<ConfigProblem> => {
  if (url === undefined) return []
  const parsed = URL.parse(url)
  const isUsable =
    parsed !== null &&
    parsed.protocol === "https:" &&
    parsed.username === "" &&
    parsed.password === "" &&
    parsed.pathname !== "/" &&
    !/[\s#]|\/\.{1,2}(?:\/|$|\?)/.test(url)
  return isUsable
    ? []
    : [
        problem(
          "client_metadata_url",
          "must be an https URL with a path, without dot segments, fragment, user name or password"
        )
      ]
}

const clientName = ({ clientName }: OAuthConfigFields): ReadonlyArray<ConfigProblem> =>
  clientName !== undefined && /\p{Cc}/u.test(clientName)
    ? [problem("client_name", "must not contain control characters")]
    : []

/** The server reads the text before the first colon as the id. */
const rawBasic = ({ basicEncoding, clientId }: OAuthConfigFields): ReadonlyArray<ConfigProblem> =>
  basicEncoding === "raw" && clientId?.includes(":") === true
    ? [problem("basic_encoding", '"raw" cannot carry a `client_id` with a colon')]
    : []

const authenticationMethod = (config: OAuthConfigFields): ReadonlyArray<ConfigProblem> => {
  const { clientId, clientSecret, grantType, tokenEndpointAuthMethod: method } = config
  const refuse = (message: string) => [problem("token_endpoint_auth_method", message)]
  switch (method) {
    case "client_secret_basic":
    case "client_secret_post":
      return clientId !== undefined && clientSecret === undefined
        ? refuse(`"${method}" needs \`client_secret\``)
        : []
    case "private_key_jwt":
      return config.privateKey === undefined ? refuse(`"${method}" needs \`private_key\``) : []
    case "tls_client_auth":
    case "self_signed_tls_client_auth":
      return certificateAuthentication(config, method)
    case "none":
      return grantType === "client_credentials"
        ? refuse(
            "must authenticate the client: client_credentials is for confidential clients (RFC 6749 §4.4)"
          )
        : []
    default:
      return []
  }
}

/**
 * The server must have the certificate before (RFC 8705 §2.1.2, §2.2.2), so the client is not registered on the fly;
 * and it authenticates by that alone (RFC 6749 §2.3).
 */
const certificateAuthentication = (
  config: OAuthConfigFields,
  method: "tls_client_auth" | "self_signed_tls_client_auth"
): ReadonlyArray<ConfigProblem> => {
  const refuse = (message: string) => problem("token_endpoint_auth_method", `"${method}" needs ${message}`)
  const unused = { client_secret: config.clientSecret, private_key: config.privateKey }
  return [
    ...(config.useMtls ? [] : [refuse("`use_mtls`")]),
    ...(config.clientId === undefined && config.clientMetadataUrl === undefined
      ? [refuse("the `client_id` under which the server knows the certificate")]
      : []),
    ...Object.entries(unused)
      .filter(([, value]) => value !== undefined)
      .map(([key]) => problem(key, `has no effect with \`token_endpoint_auth_method\` "${method}"`))
  ]
}

const privateKey = (config: OAuthConfigFields): ReadonlyArray<ConfigProblem> => {
  if (config.privateKey === undefined) {
    const dependent = { private_key_alg: config.privateKeyAlg, private_key_id: config.privateKeyId }
    return Object.entries(dependent)
      .filter(([, value]) => value !== undefined)
      .map(([key]) => problem(key, "has no effect without `private_key`"))
  }
  const text = Redacted.value(config.privateKey).trim()
  return text.startsWith("-----BEGIN PRIVATE KEY-----") || isPrivateJwk(text)
    ? []
    : [problem("private_key", "must be a private key as PEM (`BEGIN PRIVATE KEY`) or as a JWK")]
}

const isPrivateJwk = (text: string): boolean =>
  text.startsWith("{") && /"kty"\s*:/.test(text) && /"d"\s*:/.test(text)
