import { assert, describe, it } from "@effect/vitest"
import { decodeOAuthConfig, endpointProblem, formatPath } from "@secure-mcp/oauth-core"
import * as Result from "effect/Result"
import { clientCredentials } from "./WireConfig.ts"

type Keys = Readonly<Record<string, unknown>>

/** What is wrong with a configuration that has these keys, and is valid otherwise. */
const problemsWith = (keys: Keys): ReadonlyArray<string> => {
  const given = Object.entries({ ...clientCredentials, ...keys }).filter(([, value]) => value !== undefined)
  const result = decodeOAuthConfig(Object.fromEntries(given))
  return Result.isFailure(result)
    ? result.failure.problems.map(({ message, path }) => `${formatPath(path)}: ${message}`)
    : []
}

const authorizationCode = {
  grant_type: "authorization_code",
  token_url: undefined,
  client_secret: undefined
}
const certificate = { use_mtls: true, client_cert_path: "client.pem", client_key_path: "client.key" }
const pkcs12 = { use_mtls: true, client_pkcs12_path: "client.p12" }
const verifier = "a".repeat(43)
const loopback = "http://127.0.0.1:4000/token"

const pem = "-----BEGIN PRIVATE KEY-----\nMC4=\n-----END PRIVATE KEY-----"
const jwt = "eyJhbGciOiJub25lIn0.e30.c2ln"
const idToken = "urn:ietf:params:oauth:token-type:id_token"
const jwtBearer = { grant_type: "jwt_bearer", assertion: jwt }
const identityProvider = {
  token_url: "https://idp.example/token",
  client_id: "gateway-at-idp",
  client_secret: "secret",
  subject_token: "${file:/run/id-token}"
}
const enterprise = { grant_type: "jwt_bearer", identity_provider: identityProvider }
const tokenExchange = { grant_type: "token_exchange", subject_token: "opaque", subject_token_type: idToken }
const discovered = { grant_type: "authorization_code", token_url: undefined }

/** The rules of an identity provider: what is changed in it, the key with the problem, a part of its message. */
const refusedProviders: ReadonlyArray<readonly [keys: Keys, path: string, message: string]> = [
  [{ token_url: undefined }, "token_url", "required for an identity provider"],
  [{ client_id: undefined }, "client_id", "required for an identity provider"],
  [{ subject_token: undefined }, "subject_token", "required for an identity provider"],
  [{ token_url: "http://idp.example/token" }, "token_url", "must be https"],
  [{ client_id: "" }, "client_id", "must not be empty"],
  [{ client_secret: "" }, "client_secret", "must not be empty"],
  [{ subject_token: "two words" }, "subject_token", "must be a token, `${file:/path}`"],
  [{ subject_token_type: "id_token" }, "subject_token_type", "must be a URI"],
  [{ token_url: 5 }, "token_url", "Expected string"],
  [{ subjecttoken: "x" }, "subjecttoken", "unknown key"]
]

/** One row a rule: the keys, the path of the one problem they make, a part of its message. */
const refused: ReadonlyArray<readonly [keys: Keys, path: string, message: string]> = [
  [{ enabled: "yes" }, "enabled", "Expected boolean"],

  [{ version: "1.0" }, "version", 'Expected "2.0" | "2.1"'],
  [{ version: 2.1 }, "version", 'Expected "2.0" | "2.1"'],

  [{ grant_type: "refresh_token" }, "grant_type", "Unsupported grant type: refresh_token"],
  [{ grant_type: "password" }, "grant_type", "Unsupported grant type: password"],
  [
    { grant_type: "" },
    "grant_type",
    "Unsupported grant type: it must be client_credentials, authorization_code"
  ],

  [{ resource: "" }, "resource", "must be an absolute URI"],
  [{ resource: true }, "resource", "Expected"],
  [{ scope_separator: ";" }, "scope_separator", 'Expected " " | ","'],
  [{ issuer_mismatch: true }, "issuer_mismatch", 'Expected "refuse" | "allow"'],
  [{ basic_encoding: "none" }, "basic_encoding", 'Expected "form" | "raw"'],
  [{ offline_access: "no" }, "offline_access", "Expected boolean"],
  [{ scope_on_refresh: 1 }, "scope_on_refresh", "Expected boolean"],
  ...[
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "code_challenge",
    "resource",
    "request_uri"
  ].map(
    (name) =>
      [{ authorize_params: { [name]: "x" } }, `authorize_params.${name}`, "is set by the protocol"] as const
  ),
  [{ authorize_params: { response_mode: "fragment" } }, "authorize_params.response_mode", 'must be "query"'],
  [{ authorize_params: { login_hint: null } }, "authorize_params.login_hint", "only `prompt` can be null"],
  [{ registration: { scop: false } }, "registration.scop", "unknown key: did you mean `scope`?"],
  [{ registration: { scope: true } }, "registration.scope", "must be text, or false"],
  [{ registration: { contacts: "me@example.com" } }, "registration.contacts", "must be a list of texts"],
  [{ registration: { client_name: ["a"] } }, "registration.client_name", "must be text, or false"],
  [{ registration: { redirect_uris: ["https://a"] } }, "registration.redirect_uris", "see `redirect_uri`"],
  [
    { registration: { token_endpoint_auth_method: "none" } },
    "registration.token_endpoint_auth_method",
    "is set by the key"
  ],
  [{ token_url: "" }, "token_url", "must be an absolute http(s) URL"],
  [{ token_url: "/token" }, "token_url", "must be an absolute http(s) URL"],
  [{ token_url: "ftp://auth.example/token" }, "token_url", "must be an absolute http(s) URL"],
  [
    { token_url: "https://me:pw@auth.example/token" },
    "token_url",
    "must not contain a user name or password"
  ],
  [{ token_url: "https://auth.example/token#x" }, "token_url", "must not contain a fragment"],
  [{ token_url: "https://auth.example/token#" }, "token_url", "must not contain a fragment"],

  [{ client_id: undefined }, "client_id", "required for client_credentials"],
  [{ client_id: "" }, "client_id", "must not be empty"],
  [{ client_secret: undefined }, "client_secret", "required for client_credentials, unless `use_mtls`"],
  [{ client_secret: "" }, "client_secret", "must not be empty"],
  [
    { ...authorizationCode, token_url: "https://auth.example/token" },
    "authorization_url",
    "both `token_url` and `authorization_url`, or neither"
  ],
  [
    { ...authorizationCode, authorization_url: "https://auth.example/authorize" },
    "token_url",
    "both `token_url` and `authorization_url`, or neither"
  ],

  [
    { ...discovered, grant_type: "device_code", device_authorization_url: "https://auth.example/device" },
    "token_url",
    "both `token_url` and `device_authorization_url`, or neither"
  ],
  [{ ...jwtBearer, assertion: undefined }, "assertion", "needs either `assertion` or `identity_provider`"],
  [{ ...jwtBearer, ...enterprise }, "assertion", "needs either `assertion` or `identity_provider`"],
  [{ ...jwtBearer, assertion: "not a JWT" }, "assertion", "must be a signed JWT, `${file:/path}`"],
  [{ ...jwtBearer, assertion: "a.b" }, "assertion", "must be a signed JWT"],
  [{ ...jwtBearer, client_id: undefined }, "client_id", "required for jwt_bearer"],
  [{ assertion: jwt }, "assertion", 'has no effect unless `grant_type` is "jwt_bearer"'],
  [{ identity_provider: identityProvider }, "identity_provider", 'unless `grant_type` is "jwt_bearer"'],
  [{ identity_provider: "idp" }, "identity_provider", "Expected object"],
  [{ ...tokenExchange, subject_token: undefined }, "subject_token", "required for token_exchange"],
  [{ ...tokenExchange, subject_token_type: undefined }, "subject_token_type", "required for token_exchange"],
  [{ ...tokenExchange, subject_token: "" }, "subject_token", "must be a token"],
  [{ ...tokenExchange, actor_token: "ours" }, "actor_token", "needs `actor_token_type`"],
  [{ ...tokenExchange, actor_token_type: idToken }, "actor_token", "needs `actor_token_type`"],
  [{ ...tokenExchange, actor_token: "${caller:token}", actor_token_type: idToken }, "actor_token", "of ours"],
  [{ ...tokenExchange, subject_token_type: "jwt" }, "subject_token_type", "must be a URI"],
  [{ ...tokenExchange, requested_token_type: "" }, "requested_token_type", "must be a URI"],
  [{ ...tokenExchange, client_id: undefined }, "client_id", "required for token_exchange"],
  [{ subject_token: "x" }, "subject_token", 'has no effect unless `grant_type` is "token_exchange"'],
  [{ subject_token_type: idToken }, "subject_token_type", "has no effect"],
  [{ requested_token_type: idToken }, "requested_token_type", "has no effect"],
  [{ device_authorization_url: "http://auth.example/device" }, "device_authorization_url", "must be https"],

  [{ issuer: "auth.example" }, "issuer", "must be an absolute http(s) URL"],
  [{ issuer: "http://auth.example" }, "issuer", "must be https"],
  [{ issuer: "https://auth.example#x" }, "issuer", "must not contain a fragment"],
  [{ issuer: "https://auth.example?tenant=1" }, "issuer", "must not contain a query (RFC 8414 §2)"],

  [{ client_metadata_url: "http://localhost/client.json" }, "client_metadata_url", "must be an https URL"],
  [{ client_metadata_url: "https://gateway.example" }, "client_metadata_url", "with a path"],
  [{ client_metadata_url: "https://gateway.example/" }, "client_metadata_url", "with a path"],
  [{ client_metadata_url: "https://gateway.example/a/../b" }, "client_metadata_url", "dot segments"],
  [{ client_metadata_url: "https://gateway.example/c#x" }, "client_metadata_url", "fragment"],
  [{ client_metadata_url: "https://me@gateway.example/c" }, "client_metadata_url", "user name"],
  [{ client_name: "" }, "client_name", "must not be empty"],
  [{ client_name: "two\nlines" }, "client_name", "must not contain control characters"],

  [{ token_endpoint_auth_method: "secret" }, "token_endpoint_auth_method", 'Expected "client_secret_basic"'],
  [
    { ...discovered, client_secret: undefined, token_endpoint_auth_method: "client_secret_post" },
    "token_endpoint_auth_method",
    '"client_secret_post" needs `client_secret`'
  ],
  [
    { ...discovered, client_secret: undefined, token_endpoint_auth_method: "client_secret_basic" },
    "token_endpoint_auth_method",
    '"client_secret_basic" needs `client_secret`'
  ],
  [
    { token_endpoint_auth_method: "private_key_jwt" },
    "token_endpoint_auth_method",
    '"private_key_jwt" needs `private_key`'
  ],
  [
    { ...discovered, client_secret: undefined, token_endpoint_auth_method: "tls_client_auth" },
    "token_endpoint_auth_method",
    '"tls_client_auth" needs `use_mtls`'
  ],
  [
    { ...discovered, client_secret: undefined, token_endpoint_auth_method: "self_signed_tls_client_auth" },
    "token_endpoint_auth_method",
    '"self_signed_tls_client_auth" needs `use_mtls`'
  ],
  [
    {
      ...discovered,
      ...certificate,
      client_id: undefined,
      client_secret: undefined,
      token_endpoint_auth_method: "self_signed_tls_client_auth"
    },
    "token_endpoint_auth_method",
    "needs the `client_id` under which the server knows the certificate"
  ],
  [
    { ...certificate, token_endpoint_auth_method: "tls_client_auth" },
    "client_secret",
    'has no effect with `token_endpoint_auth_method` "tls_client_auth"'
  ],
  [
    {
      ...certificate,
      client_secret: undefined,
      private_key: pem,
      token_endpoint_auth_method: "self_signed_tls_client_auth"
    },
    "private_key",
    'has no effect with `token_endpoint_auth_method` "self_signed_tls_client_auth"'
  ],
  [{ token_endpoint_auth_method: "none" }, "token_endpoint_auth_method", "must authenticate the client"],
  [{ private_key: "secret" }, "private_key", "must be a private key as PEM"],
  [{ private_key: "-----BEGIN PUBLIC KEY-----" }, "private_key", "must be a private key"],
  [{ private_key: '{"kty":"EC","x":"1"}' }, "private_key", "or as a JWK"],
  [{ private_key: pem, private_key_alg: "HS256" }, "private_key_alg", 'Expected "ES256" | "RS256" | "EdDSA"'],
  [{ private_key: pem, private_key_id: "" }, "private_key_id", "must not be empty"],
  [{ private_key_alg: "ES256" }, "private_key_alg", "has no effect without `private_key`"],
  [{ private_key_id: "1" }, "private_key_id", "has no effect without `private_key`"],

  [{ audience: "" }, "audience", "must not be empty"],
  [{ organization: "" }, "organization", "must not be empty"],
  [{ scope: "" }, "scope", "separated by single spaces (RFC 6749 §3.3)"],
  [{ scope: "a  b" }, "scope", "separated by single spaces"],
  [{ scope: " a" }, "scope", "separated by single spaces"],
  [{ scope: "a\nb" }, "scope", "separated by single spaces"],
  [{ scope: 'a"b' }, "scope", "separated by single spaces"],
  [{ scope: ["a", "b"] }, "scope", "Expected string"],

  [{ resource: "api.example.com" }, "resource", "absolute URI without a fragment"],
  [{ resource: "https://api.example.com/#x" }, "resource", "absolute URI without a fragment"],
  [{ resource: " https://api.example.com" }, "resource", "without spaces (RFC 8707 §2)"],
  [{ resource: "https://api.example.com/\n" }, "resource", "without spaces"],

  [{ use_pkce: 1 }, "use_pkce", "Expected boolean"],
  [{ code_challenge_method: "S512" }, "code_challenge_method", 'Expected "S256" | "plain"'],
  [
    { version: "2.1", code_challenge_method: "plain" },
    "code_challenge_method",
    'must be "S256" with version 2.1'
  ],

  [{ authorization_url: "http://auth.example/authorize" }, "authorization_url", "must be https"],
  [{ redirect_uri: "/callback" }, "redirect_uri", "must be an absolute URL"],
  [
    { redirect_uri: "http://example.com/callback" },
    "redirect_uri",
    "http on a loopback host (RFC 8252 §7.3)"
  ],
  [{ redirect_uri: "http://127.0.0.1.example/" }, "redirect_uri", "http on a loopback host"],
  [{ redirect_uri: "http://localhost/#x" }, "redirect_uri", "must not contain a fragment"],
  [{ redirect_uri: "javascript:alert(1)" }, "redirect_uri", "must be https"],
  [{ version: "2.1", state: "fixed" }, "state", "version 2.1 does not allow a fixed one"],
  [{ version: "2.1", code_verifier: verifier }, "code_verifier", "version 2.1 does not allow a fixed one"],
  [{ code_verifier: "a".repeat(42) }, "code_verifier", "43 to 128 unreserved characters (RFC 7636 §4.1)"],
  [{ code_verifier: "a".repeat(129) }, "code_verifier", "43 to 128 unreserved characters"],
  [{ code_verifier: `${verifier}+` }, "code_verifier", "43 to 128 unreserved characters"],
  [{ code_challenge: "x" }, "code_challenge", "of no use without its `code_verifier`"],

  [{ token_expiry_buffer: -1 }, "token_expiry_buffer", "must be 0 seconds or more"],
  [{ default_expires_in: 0 }, "default_expires_in", "must be more than 0 seconds"],
  [{ default_expires_in: -5 }, "default_expires_in", "must be more than 0 seconds"],

  [{ use_basic_auth: "true" }, "use_basic_auth", "Expected boolean"],
  [{ enforce_https: "false" }, "enforce_https", "Expected boolean"],
  [{ token_url: "http://auth.example/token" }, "token_url", "must be https (`enforce_https`)"],
  [{ token_url: loopback }, "token_url", "on this machine set `enforce_https` to false"],
  [
    { version: "2.1", enforce_https: false, token_url: "http://auth.example/token" },
    "token_url",
    "version 2.1 allows http for loopback hosts only"
  ],
  [
    { version: "2.1", enforce_https: false, token_url: "http://localhost.example/token" },
    "token_url",
    "version 2.1 allows http for loopback hosts only"
  ],

  [{ token_in_header_only: false }, "token_in_header_only", "must be true: a token is sent in a header"],
  [{ version: "2.1", token_in_header_only: false }, "token_in_header_only", "a URL ends up in logs"],

  [{ use_mtls: true, client_cert_path: "c.pem" }, "client_key_path", "required with `use_mtls`"],
  [
    { ...certificate, client_key_path: "-----BEGIN PRIVATE KEY-----" },
    "client_key_path",
    "must be the path of a file, not what is in it"
  ],
  [{ ca_bundle_path: "a\nb" }, "ca_bundle_path", "must be the path of a file, not what is in it"],
  [{ use_mtls: true, client_key_path: "c.key" }, "client_cert_path", "required with `use_mtls`"],
  [{ client_cert_path: "c.pem" }, "client_cert_path", "has no effect unless `use_mtls` is true"],
  [{ client_key_path: "c.key" }, "client_key_path", "has no effect unless `use_mtls` is true"],
  [{ ...certificate, client_cert_path: "" }, "client_cert_path", "must not be empty"],
  [{ ...certificate, client_key_path: "" }, "client_key_path", "must not be empty"],
  [{ ca_bundle_path: "" }, "ca_bundle_path", "must not be empty"],
  [
    { ...pkcs12, client_cert_path: "c.pem" },
    "client_cert_path",
    "cannot be used together with `client_pkcs12_path`"
  ],
  [
    { ...pkcs12, client_key_path: "c.key" },
    "client_key_path",
    "cannot be used together with `client_pkcs12_path`"
  ],
  [{ client_pkcs12_path: "c.p12" }, "client_pkcs12_path", "has no effect unless `use_mtls` is true"],
  [{ client_key_passphrase: "p" }, "client_key_passphrase", "has no effect unless `use_mtls` is true"],
  [
    { use_mtls: true, client_cert_path: "c.pem", client_key_passphrase: "p" },
    "client_key_path",
    "required with `use_mtls`, unless there is `client_pkcs12_path`"
  ],
  [{ ...pkcs12, client_pkcs12_path: "" }, "client_pkcs12_path", "must not be empty"],
  [{ ...pkcs12, client_key_passphrase: "" }, "client_key_passphrase", "must not be empty"],
  [{ ...pkcs12, client_pkcs12_path: "a\nb" }, "client_pkcs12_path", "must be the path of a file"],
  [
    { ...certificate, enforce_https: false, token_url: loopback },
    "token_url",
    "no certificate to present over http"
  ],

  [{ revocation_url: "http://auth.example/revoke" }, "revocation_url", "must be https"],
  [{ revocation_url: "revoke" }, "revocation_url", "must be an absolute http(s) URL"],
  [{ ...certificate, introspection_url: "http://auth.example/introspect" }, "introspection_url", "over http"],
  [
    { ...certificate, introspection_url: "introspect" },
    "introspection_url",
    "must be an absolute http(s) URL"
  ],
  [
    { introspection_url: "https://auth.example/introspect" },
    "introspection_url",
    "has no effect unless `use_mtls` is true"
  ],
  [{ validate_scopes: null }, "validate_scopes", "Expected boolean"],

  [{ token_env: "1TOKEN" }, "token_env", "names of environment variables"],
  [{ token_env: ["GOOD", "NOT GOOD"] }, "token_env", "names of environment variables"],
  [{ token_env: [] }, "token_env", "one or more names"],
  [{ token_env: ["GOOD", 5] }, "token_env[1]", "Expected string"],
  [{ token_env: ["TWICE", { name: "TWICE" }] }, "token_env", "each environment variable once"],
  [{ token_env: { name: "NOT GOOD" } }, "token_env", "names of environment variables"],
  [{ token_env: { name: "GOOD", format: "Bearer" } }, "token_env", "holds {token} once"],
  [{ token_env: ["GOOD", { name: "B", format: "{token}{token}" }] }, "token_env", "holds {token} once"],
  [{ token_env: { name: "GOOD", format: "\0{token}" } }, "token_env", "no NUL"],

  [{ additional_params: { x: null } }, "additional_params.x", "Expected string | number | boolean"],
  [{ custom_headers: { "X-Number": 5 } }, "custom_headers.X-Number", "Expected string"],
  [{ custom_headers: { "X Y": "z" } }, 'custom_headers["X Y"]', "is not a header name"],
  [{ custom_headers: { "": "z" } }, 'custom_headers[""]', "is not a header name"],
  [{ custom_headers: { "X-Key": "a\r\nX-Other: b" } }, "custom_headers.X-Key", "cannot stand in a header"],
  [{ custom_headers: { "X-Key": "ключ" } }, "custom_headers.X-Key", "cannot stand in a header"]
]

const protocolParameters = (
  "grant_type client_id client_secret client_assertion client_assertion_type scope resource audience " +
  "organization code redirect_uri code_verifier refresh_token device_code assertion subject_token " +
  "subject_token_type actor_token actor_token_type requested_token_type"
).split(" ")

const protocolHeaders = ["Authorization", "authorization", "Content-Type", "HOST", "Content-Length"]

const accepted: ReadonlyArray<Keys> = [
  { token_url: undefined },
  { resource: false },
  { scope_separator: ",", scope_on_refresh: true, offline_access: false },
  { issuer_mismatch: "allow", basic_encoding: "raw" },
  { authorize_params: { access_type: "offline", prompt: null, max_age: 60, response_mode: "query" } },
  { registration: { scope: false, client_name: "Codex", contacts: ["a@b.example"], grant_types: false } },
  { version: "2.0" },
  { version: "2.1" },
  authorizationCode,
  { ...authorizationCode, client_id: undefined },
  {
    ...authorizationCode,
    version: "2.1",
    token_url: "https://auth.example/token",
    authorization_url: "https://auth.example/authorize"
  },
  { ...certificate, client_secret: undefined },
  { token_url: undefined, issuer: "https://auth.example/tenant/" },
  { client_secret: undefined, private_key: pem },
  {
    private_key: '{ "kty": "OKP", "d": "x" }',
    private_key_id: "1",
    token_endpoint_auth_method: "private_key_jwt"
  },
  { ...certificate, client_secret: undefined, token_endpoint_auth_method: "tls_client_auth" },
  {
    ...discovered,
    ...certificate,
    client_id: undefined,
    client_secret: undefined,
    client_metadata_url: "https://gateway.example/client.json",
    token_endpoint_auth_method: "self_signed_tls_client_auth"
  },
  { ...certificate, introspection_url: "https://mtls.auth.example/introspect" },
  { ...discovered, client_id: undefined, client_secret: undefined, client_name: "Gateway" },
  { ...discovered, client_id: undefined, client_metadata_url: "https://gateway.example/client.json?v=1" },
  { ...discovered, client_id: undefined, client_secret: undefined, token_endpoint_auth_method: "none" },
  {
    ...discovered,
    client_id: undefined,
    client_secret: undefined,
    token_endpoint_auth_method: "client_secret_post"
  },
  { ...discovered, grant_type: "device_code" },
  { grant_type: "device_code", device_authorization_url: "https://auth.example/device" },
  jwtBearer,
  { ...jwtBearer, assertion: "${file:/run/secrets/token}" },
  { ...jwtBearer, client_id: undefined, client_metadata_url: "https://gateway.example/client.json" },
  enterprise,
  tokenExchange,
  { ...tokenExchange, requested_token_type: idToken },
  { ...certificate, ca_bundle_path: "ca.pem" },
  { ...certificate, client_key_passphrase: "passphrase" },
  pkcs12,
  { ...pkcs12, client_key_passphrase: "passphrase", ca_bundle_path: "ca.pem" },
  { ca_bundle_path: "ca.pem" },
  { scope: "mcp:read mcp:write" },
  { resource: "urn:example:api" },
  { resource: "https://API.example.com/a/../b?c" },
  { code_challenge_method: "plain" },
  { state: "fixed", code_verifier: verifier, code_challenge: "x" },
  { redirect_uri: "http://localhost:3000/callback" },
  { redirect_uri: "http://[::1]/callback" },
  { redirect_uri: "https://example.com/callback" },
  { token_expiry_buffer: 0 },
  { default_expires_in: 0.5 },
  { enforce_https: false, token_url: "http://auth.example/token" },
  { version: "2.1", enforce_https: false, token_url: loopback },
  { version: "2.1", enforce_https: false, token_url: "http://[::1]:4000/token" },
  { version: "2.1", enforce_https: false, token_url: "http://auth.localhost/token" },
  { token_in_header_only: true },
  { revocation_url: "https://auth.example/revoke" },
  { token_env: ["A", "B_2"] },
  { token_env: { name: "A", format: "Bearer {token}" } },
  { token_env: ["A", { name: "B", format: "Bearer {token}" }, { name: "C" }] },
  { additional_params: { Scope: "a", login_hint: "b", number: 3, flag: false } },
  { custom_headers: { "X-Key": "a\tb", Accept: "text/plain" } }
]

describe("the rules of a configuration", () => {
  it.each(refused)("the rule for %j: %s %s", (keys, path, message) => {
    const problems = problemsWith(keys)
    assert.lengthOf(problems, 1)
    const [problem = ""] = problems
    assert.isTrue(problem.startsWith(`${path}: `), problem)
    assert.include(problem, message)
  })

  it.each(refusedProviders)("the rule for identity_provider %j: %s %s", (keys, path, message) => {
    const provider = Object.entries({ ...identityProvider, ...keys }).filter(
      ([, value]) => value !== undefined
    )
    const problems = problemsWith({ ...enterprise, identity_provider: Object.fromEntries(provider) })
    const problem = problems.find((problem) => !problem.startsWith("assertion: ")) ?? ""
    assert.isTrue(problem.startsWith(`identity_provider.${path}: `), problems.join())
    assert.include(problem, message)
  })

  it.each(protocolParameters)("additional_params may not contain %s", (name) => {
    assert.deepStrictEqual(problemsWith({ additional_params: { [name]: "x", other: "y" } }), [
      `additional_params.${name}: is set by the protocol and cannot be added`
    ])
  })

  it.each(protocolHeaders)("custom_headers may not contain %s", (name) => {
    assert.deepStrictEqual(problemsWith({ custom_headers: { [name]: "x", "X-Other": "y" } }), [
      `custom_headers.${name}: is set by the protocol and cannot be configured`
    ])
  })

  it.each(accepted)("%j is valid", (keys) => {
    assert.deepStrictEqual(problemsWith(keys), [])
  })

  it("the same rules apply to the other URLs of an entry", () => {
    const strict = { enforceHttps: true, version: "2.0" } as const
    assert.strictEqual(endpointProblem("https://mcp.example/mcp", strict), undefined)
    assert.include(endpointProblem("http://mcp.example/mcp", strict) ?? "", "must be https")
    assert.include(
      endpointProblem(loopback, { enforceHttps: false, version: "2.0", useMtls: true }) ?? "",
      "no certificate to present"
    )
  })
})
