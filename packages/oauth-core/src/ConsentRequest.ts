import type { AccessTokenRequest } from "./AccessTokenRequest.ts"
import { usesCallerToken } from "./config/LateReference.ts"
import type { OAuthConfig } from "./config/OAuthConfig.ts"

/** One for each configuration and issuer: whoever is asked for a login knows the configuration again. */
const consents = new WeakMap<OAuthConfig, Map<string | undefined, OAuthConfig>>()

/**
 * The login by which a person consents to what is obtained on their behalf (`${caller:token}`): at the same authorization server, of the same
 * client, for the same scope. Where people log in there, `issuer` says, or `authorization_url` next to `token_url`; else it is
 * the issuer of the person's own token. Undefined if that is not known either.
 */
export const consentRequestOf = (request: AccessTokenRequest): AccessTokenRequest | undefined => {
  const { callerToken: _, config, ...others } = request
  const issuer = config.issuer ?? (config.authorizationUrl === undefined ? request.subjectIssuer : undefined)
  const isKnown =
    issuer !== undefined || (config.authorizationUrl !== undefined && config.tokenUrl !== undefined)
  if (!usesCallerToken(config) || !isKnown) return undefined
  const ofConfig = consents.get(config) ?? new Map<string | undefined, OAuthConfig>()
  consents.set(config, ofConfig)
  const consent = ofConfig.get(issuer) ?? consentConfig(config, issuer)
  ofConfig.set(issuer, consent)
  return { ...others, config: consent, consentOnly: true }
}

const consentConfig = (config: OAuthConfig, issuer: string | undefined): OAuthConfig => {
  const {
    actorToken: _actor,
    actorTokenType: _actorType,
    assertion: _assertion,
    identityProvider: _provider,
    subjectToken: _subject,
    subjectTokenType: _subjectType,
    tokenUrl,
    ...kept
  } = config
  return {
    ...kept,
    grantType: "authorization_code",
    offlineAccess: false,
    ...(issuer === undefined ? {} : { issuer }),
    // Endpoints of two sources are not mixed: without both of them the metadata of the issuer says where they are.
    ...(tokenUrl === undefined || config.authorizationUrl === undefined ? {} : { tokenUrl })
  }
}
