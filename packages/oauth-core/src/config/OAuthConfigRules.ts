import * as Redacted from "effect/Redacted"
import { problem, type ConfigProblem } from "../problems/ConfigProblem.ts"
import { clientIdentityRules } from "./ClientIdentityRules.ts"
import { endpointProblem, isLoopbackHost } from "./EndpointRule.ts"
import { grantRules } from "./GrantRules.ts"
import type { OAuthConfigFields } from "./OAuthConfigFields.ts"
import { registrationRules } from "./RegistrationRules.ts"
import { requestParameterRules } from "./RequestParameterRules.ts"

/** Every rule between the fields of an `OAuthConfig`, with the paths of the file. */
export const oauthConfigRules = (config: OAuthConfigFields): ReadonlyArray<ConfigProblem> => [
  ...notEmpty(config),
  ...grantRules(config),
  ...clientIdentityRules(config),
  ...endpointUrls(config),
  ...redirectUri(config),
  ...resourceIndicator(config),
  ...scopeTokens(config),
  ...pkce(config),
  ...fixedRequestValues(config),
  ...lifetimes(config),
  ...tokenPlace(config),
  ...certificate(config),
  ...requestParameterRules(config),
  ...registrationRules(config)
]

const notEmpty = (config: OAuthConfigFields): ReadonlyArray<ConfigProblem> => {
  const texts = {
    client_id: config.clientId,
    client_secret: config.clientSecret && Redacted.value(config.clientSecret),
    client_name: config.clientName,
    private_key_id: config.privateKeyId,
    audience: config.audience,
    organization: config.organization,
    client_cert_path: config.clientCertPath,
    client_key_path: config.clientKeyPath,
    client_pkcs12_path: config.clientPkcs12Path,
    client_key_passphrase: config.clientKeyPassphrase && Redacted.value(config.clientKeyPassphrase),
    ca_bundle_path: config.caBundlePath
  }
  return Object.entries(texts)
    .filter(([, value]) => value === "")
    .map(([key]) => problem(key, "must not be empty; leave the key out instead"))
}

const endpointUrls = (config: OAuthConfigFields): ReadonlyArray<ConfigProblem> => {
  const endpoints = {
    token_url: config.tokenUrl,
    authorization_url: config.authorizationUrl,
    revocation_url: config.revocationUrl,
    introspection_url: config.introspectionUrl,
    device_authorization_url: config.deviceAuthorizationUrl,
    issuer: config.issuer
  }
  return Object.entries(endpoints).flatMap(([key, url]) => {
    const message = url === undefined ? undefined : endpointProblem(url, config)
    return message === undefined ? [] : [problem(key, message)]
  })
}

/** RFC 8252 §7.3: a native client's redirect URI may be plain http, but only on the loopback interface. */
const redirectUri = ({ redirectUri: uri }: OAuthConfigFields): ReadonlyArray<ConfigProblem> => {
  if (uri === undefined) return []
  const parsed = URL.parse(uri)
  if (parsed === null) return [problem("redirect_uri", "must be an absolute URL")]
  if (uri.includes("#")) return [problem("redirect_uri", "must not contain a fragment (RFC 6749 §3.1.2)")]
  if (parsed.protocol === "https:" || (parsed.protocol === "http:" && isLoopbackHost(parsed.hostname)))
    return []
  return [problem("redirect_uri", "must be https, or http on a loopback host (RFC 8252 §7.3)")]
}

const resourceIndicator = ({ resource }: OAuthConfigFields): ReadonlyArray<ConfigProblem> =>
  resource === undefined || resource === false || (URL.canParse(resource) && !/[\s#]/.test(resource))
    ? []
    : [
        problem(
          "resource",
          "must be an absolute URI without a fragment and without spaces (RFC 8707 §2), or false"
        )
      ]

const scopeTokens = ({ scope }: OAuthConfigFields): ReadonlyArray<ConfigProblem> =>
  scope === undefined || /^[\x21\x23-\x5B\x5D-\x7E]+(?: [\x21\x23-\x5B\x5D-\x7E]+)*$/.test(scope)
    ? []
    : [problem("scope", "must be scope names separated by single spaces (RFC 6749 §3.3)")]

const pkce = (config: OAuthConfigFields): ReadonlyArray<ConfigProblem> =>
  config.version === "2.1" && config.codeChallengeMethod === "plain"
    ? [problem("code_challenge_method", 'must be "S256" with version 2.1 (RFC 9700 §2.1.1)')]
    : []

/** Values that must be fresh for each request: a fixed one removes the protection. */
const fixedRequestValues = (config: OAuthConfigFields): ReadonlyArray<ConfigProblem> => {
  const fixed = {
    state: config.state,
    code_verifier: config.codeVerifier,
    code_challenge: config.codeChallenge
  }
  const problems = Object.entries(fixed)
    .filter(([, value]) => value !== undefined && config.version === "2.1")
    .map(([key]) => problem(key, "is generated for each request; version 2.1 does not allow a fixed one"))
  if (config.codeVerifier !== undefined && !/^[\w.~-]{43,128}$/.test(Redacted.value(config.codeVerifier))) {
    problems.push(problem("code_verifier", "must be 43 to 128 unreserved characters (RFC 7636 §4.1)"))
  }
  if (config.codeChallenge !== undefined && config.codeVerifier === undefined) {
    problems.push(problem("code_challenge", "is of no use without its `code_verifier`"))
  }
  return problems
}

const lifetimes = (config: OAuthConfigFields): ReadonlyArray<ConfigProblem> => {
  const problems: Array<ConfigProblem> = []
  if (config.tokenExpiryBuffer < 0) problems.push(problem("token_expiry_buffer", "must be 0 seconds or more"))
  if (config.defaultExpiresIn !== undefined && config.defaultExpiresIn <= 0) {
    problems.push(problem("default_expires_in", "must be more than 0 seconds"))
  }
  return problems
}

const tokenPlace = (config: OAuthConfigFields): ReadonlyArray<ConfigProblem> => {
  const problems: Array<ConfigProblem> = []
  if (!config.tokenInHeaderOnly) {
    problems.push(
      problem(
        "token_in_header_only",
        "must be true: a token is sent in a header only, because a URL ends up in logs (RFC 6750 §5.3)"
      )
    )
  }
  return [...problems, ...tokenVariables(config)]
}

const tokenVariables = ({ tokenEnv }: OAuthConfigFields): ReadonlyArray<ConfigProblem> => {
  const variables = [tokenEnv].flat()
  const names = variables.map((variable) => (typeof variable === "string" ? variable : variable.name))
  const formats = variables.map((variable) => (typeof variable === "string" ? undefined : variable.format))
  const problems: Array<ConfigProblem> = []
  if (names.length === 0 || !names.every((name) => /^[A-Za-z_]\w*$/.test(name))) {
    problems.push(problem("token_env", "must be one or more names of environment variables"))
  }
  if (new Set(names).size < names.length) {
    problems.push(problem("token_env", "must name each environment variable once"))
  }
  if (!formats.every((format) => format === undefined || isTokenFormat(format))) {
    problems.push(
      problem("token_env", 'needs a `format` that holds {token} once and no NUL, as in "Bearer {token}"')
    )
  }
  return problems
}

const isTokenFormat = (format: string): boolean =>
  format.split("{token}").length === 2 && !format.includes("\0")

const certificate = (config: OAuthConfigFields): ReadonlyArray<ConfigProblem> => {
  const pair = { client_cert_path: config.clientCertPath, client_key_path: config.clientKeyPath }
  const files = { ...pair, client_pkcs12_path: config.clientPkcs12Path }
  const contents = Object.entries({ ...files, ca_bundle_path: config.caBundlePath })
    .filter(([, path]) => path !== undefined && /[\r\n]|-----BEGIN/.test(path))
    .map(([key]) => problem(key, "must be the path of a file, not what is in it"))
  if (!config.useMtls) {
    const unused = Object.entries({
      ...files,
      client_key_passphrase: config.clientKeyPassphrase,
      introspection_url: config.introspectionUrl
    })
      .filter(([, value]) => value !== undefined)
      .map(([key]) => problem(key, "has no effect unless `use_mtls` is true"))
    return [...contents, ...unused]
  }
  if (config.clientPkcs12Path === undefined) {
    const missing = Object.entries(pair)
      .filter(([, path]) => path === undefined)
      .map(([key]) => problem(key, "required with `use_mtls`, unless there is `client_pkcs12_path`"))
    return [...contents, ...missing]
  }
  const twice = Object.entries(pair)
    .filter(([, path]) => path !== undefined)
    .map(([key]) => problem(key, "cannot be used together with `client_pkcs12_path`, which holds both"))
  return [...contents, ...twice]
}
