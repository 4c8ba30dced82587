import { type AccessTokenRequest, type OAuthConfig, usesCallerToken } from "@secure-mcp/oauth-core"

/**
 * The login by which a person consents to what is obtained on their behalf (`${caller:token}`): at the same authorization server, of the same
 * client, for the same scope. Where people log in there, `issuer` says, or `authorization_url` next to `token_url`; else it is
 * the issuer of the person's own token. Undefined if that is not known either.
 *
 * @param known gives the same configuration again for the same issuer
 */
export const consentRequestOf = (
  request: AccessTokenRequest,
  known: typeof consentConfig = consentConfig
): AccessTokenRequest | undefined => {
  const { callerToken: _, config, ...others } = request
  const issuer = config.issuer ?? (config.authorizationUrl === undefined ? request.subjectIssuer : undefined)
  const isKnown =
    issuer !== undefined || (config.authorizationUrl !== undefined && config.tokenUrl !== undefined)
  if (!usesCallerToken(config) || !isKnown) return undefined
  return { ...others, config: known(config, issuer), consentOnly: true }
}

/** `consentRequestOf` with one configuration for each issuer, so that a login that was begun is known again. */
export const makeConsentRequests = (): ((request: AccessTokenRequest) => AccessTokenRequest | undefined) => {
  const consents = new WeakMap<OAuthConfig, Map<string | undefined, OAuthConfig>>()
  const known = (config: OAuthConfig, issuer: string | undefined): OAuthConfig => {
    const byIssuer = consents.get(config) ?? new Map<string | undefined, OAuthConfig>()
    consents.set(config, byIssuer)
    const consent = byIssuer.get(issuer) ?? consentConfig(config, issuer)
    byIssuer.set(issuer, consent)
    return consent
  }
  return (request) => consentRequestOf(request, known)
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
