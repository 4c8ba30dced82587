import * as Redacted from "effect/Redacted"
import { problem, type ConfigProblem } from "../problems/ConfigProblem.ts"
import { endpointProblem } from "./EndpointRule.ts"
import { callerTokenReference, fileReference } from "./LateReference.ts"
import type { GrantType } from "./GrantType.ts"
import type { OAuthConfigFields } from "./OAuthConfigFields.ts"

/** What each grant needs, and what only one of them understands. */
export const grantRules = (config: OAuthConfigFields): ReadonlyArray<ConfigProblem> => [
  ...(needsOf.get(config.grantType)?.(config) ?? []),
  ...identityProvider(config),
  ...givenTokens(config),
  ...tokenTypes(config),
  ...foreignKeys(config)
]

const clientCredentials = (config: OAuthConfigFields): ReadonlyArray<ConfigProblem> => {
  const problems: Array<ConfigProblem> = []
  if (config.clientId === undefined) problems.push(problem("client_id", "required for client_credentials"))
  if (config.clientSecret === undefined && config.privateKey === undefined && !config.useMtls) {
    problems.push(
      problem(
        "client_secret",
        "required for client_credentials, unless `use_mtls` or `private_key` authenticates the client"
      )
    )
  }
  return problems
}

const authorizationCode = (config: OAuthConfigFields) =>
  bothOrNeither({ token_url: config.tokenUrl, authorization_url: config.authorizationUrl })

const deviceCode = (config: OAuthConfigFields) =>
  bothOrNeither({ token_url: config.tokenUrl, device_authorization_url: config.deviceAuthorizationUrl })

/** Endpoints of two servers do not belong together, so one is not configured while the other is discovered. */
const bothOrNeither = (endpoints: Readonly<Record<string, string | undefined>>) => {
  const names = Object.keys(endpoints)
  const missing = names.filter((name) => endpoints[name] === undefined)
  if (missing.length !== 1) return []
  const both = names.map((name) => `\`${name}\``).join(" and ")
  return missing.map((name) => problem(name, `configure both ${both}, or neither`))
}

const jwtBearer = (config: OAuthConfigFields): ReadonlyArray<ConfigProblem> => {
  const problems = [...identified(config)]
  if ((config.assertion === undefined) === (config.identityProvider === undefined)) {
    problems.push(problem("assertion", "jwt_bearer needs either `assertion` or `identity_provider`"))
  }
  return problems
}

const tokenExchange = (config: OAuthConfigFields): ReadonlyArray<ConfigProblem> => {
  const required = { subject_token: config.subjectToken, subject_token_type: config.subjectTokenType }
  return [
    ...identified(config),
    ...((config.actorToken === undefined) === (config.actorTokenType === undefined)
      ? []
      : [problem("actor_token", "needs `actor_token_type`, and the other way round (RFC 8693 §2.1)")]),
    ...Object.entries(required)
      .filter(([, value]) => value === undefined)
      .map(([key]) => problem(key, "required for token_exchange (RFC 8693 §2.1)"))
  ]
}

/** No person is there to consent to a client that was registered on the fly. */
export const identified = ({ clientId, clientMetadataUrl, grantType }: OAuthConfigFields) =>
  clientId === undefined && clientMetadataUrl === undefined
    ? [problem("client_id", `required for ${grantType}, unless \`client_metadata_url\` names the client`)]
    : []

const needs: Record<GrantType, (config: OAuthConfigFields) => ReadonlyArray<ConfigProblem>> = {
  client_credentials: clientCredentials,
  authorization_code: authorizationCode,
  device_code: deviceCode,
  jwt_bearer: jwtBearer,
  token_exchange: tokenExchange
}

/** A grant of others says itself what it needs. */
const needsOf: ReadonlyMap<string, (typeof needs)[GrantType]> = new Map(Object.entries(needs))

const identityProvider = (config: OAuthConfigFields): ReadonlyArray<ConfigProblem> => {
  const { identityProvider: provider } = config
  if (provider === undefined) return []
  const required = {
    token_url: provider.tokenUrl,
    client_id: provider.clientId,
    subject_token: provider.subjectToken
  }
  const inside = (key: string, message: string) => problem("identity_provider", message, key)
  const problems = Object.entries(required)
    .filter(([, value]) => value === undefined)
    .map(([key]) => inside(key, "required for an identity provider"))
  const url = provider.tokenUrl === undefined ? undefined : endpointProblem(provider.tokenUrl, config)
  if (url !== undefined) problems.push(inside("token_url", url))
  if (provider.clientId === "") problems.push(inside("client_id", "must not be empty"))
  if (provider.clientSecret !== undefined && Redacted.value(provider.clientSecret) === "") {
    problems.push(inside("client_secret", "must not be empty; leave the key out instead"))
  }
  if (provider.subjectToken !== undefined && !isTokenOrFile(Redacted.value(provider.subjectToken))) {
    problems.push(inside("subject_token", tokenOrFile))
  }
  if (!URL.canParse(provider.subjectTokenType)) {
    problems.push(inside("subject_token_type", tokenTypeUri))
  }
  return problems
}

const tokenOrFile =
  "must be a token, `${file:/path}`, which is read anew for each request, or `${caller:token}`, the token of the caller"

const isTokenOrFile = (value: string): boolean =>
  fileReference(value) !== undefined || /^[\x21-\x7E]+$/.test(value)

const isJwtOrFile = (value: string): boolean =>
  fileReference(value) !== undefined ||
  value === callerTokenReference ||
  /^[\w-]+\.[\w-]+\.[\w-]+$/.test(value)

const isOwnTokenOrFile = (value: string): boolean => value !== callerTokenReference && isTokenOrFile(value)

const givenTokens = ({
  actorToken,
  assertion,
  subjectToken
}: OAuthConfigFields): ReadonlyArray<ConfigProblem> => {
  const problems: Array<ConfigProblem> = []
  if (assertion !== undefined && !isJwtOrFile(Redacted.value(assertion))) {
    problems.push(
      problem(
        "assertion",
        "must be a signed JWT, `${file:/path}`, which is read anew for each request, or `${caller:token}`, the token of the caller"
      )
    )
  }
  if (subjectToken !== undefined && !isTokenOrFile(Redacted.value(subjectToken))) {
    problems.push(problem("subject_token", tokenOrFile))
  }
  if (actorToken !== undefined && !isOwnTokenOrFile(Redacted.value(actorToken))) {
    problems.push(
      problem(
        "actor_token",
        "must be a token of ours, or `${file:/path}`, which is read anew for each request"
      )
    )
  }
  return problems
}

const tokenTypeUri = "must be a URI, as in urn:ietf:params:oauth:token-type:access_token (RFC 8693 §3)"

const tokenTypes = (config: OAuthConfigFields): ReadonlyArray<ConfigProblem> => {
  const types = {
    subject_token_type: config.subjectTokenType,
    actor_token_type: config.actorTokenType,
    requested_token_type: config.requestedTokenType
  }
  return Object.entries(types)
    .filter(([, type]) => type !== undefined && !URL.canParse(type))
    .map(([key]) => problem(key, tokenTypeUri))
}

/** A key that another grant needs shows that the wrong one is configured. */
const foreignKeys = (config: OAuthConfigFields): ReadonlyArray<ConfigProblem> => {
  const owners = [
    ["jwt_bearer", "assertion", config.assertion],
    ["jwt_bearer", "identity_provider", config.identityProvider],
    ["token_exchange", "subject_token", config.subjectToken],
    ["token_exchange", "subject_token_type", config.subjectTokenType],
    ["token_exchange", "actor_token", config.actorToken],
    ["token_exchange", "actor_token_type", config.actorTokenType],
    ["token_exchange", "requested_token_type", config.requestedTokenType]
  ] as const
  return owners
    .filter(([grant, , value]) => value !== undefined && grant !== config.grantType)
    .map(([grant, key]) => problem(key, `has no effect unless \`grant_type\` is "${grant}"`))
}
