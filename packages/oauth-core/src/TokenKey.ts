import * as Effect from "effect/Effect"
import * as Digest from "effect/crypto/Digest"
import * as Redacted from "effect/Redacted"
import type { AccessTokenRequest } from "./AccessTokenRequest.ts"
import { isPersonalGrant } from "./config/GrantType.ts"
import type { OAuthConfig } from "./config/OAuthConfig.ts"

/** The owner of a token and what was requested. Two requests may share a token only if their keys are equal. */
export interface TokenKey {
  readonly projectId: string
  readonly configId: string
  readonly serverName: string
  /** The person the token is for; absent for the client's own token. */
  readonly subject?: string | undefined
  /** Whether a person granted the token (`isPersonalGrant`), so that only this person can grant it again. */
  readonly personal: boolean
  /** SHA-256, in hex, of everything the token request depends on; with the token of a caller, also the hash of that. */
  readonly fingerprint: string
  /**
   * Whether the token was obtained with the token of a caller: it is in memory only, and is not renewed, because nobody's token is
   * at hand then. Default false.
   */
  readonly memoryOnly?: boolean | undefined
}

/**
 * The key as one string, for maps and stores. Injective: no choice of names makes two keys look alike
 * (`a:b`, `c` is not `a`, `b:c`). `personal` is not part of it, because it follows from the grant type, which the
 * fingerprint contains: so tokens stored by earlier versions are found under the same address.
 */
export const tokenKeyString = (key: TokenKey): string =>
  key instanceof RequestTokenKey ? key.toString() : keyString(key)

const keyString = (key: TokenKey): string =>
  JSON.stringify([key.projectId, key.configId, key.serverName, key.subject ?? null, key.fingerprint])

/** The key of a request's token. */
export const tokenKeyOf = (request: AccessTokenRequest, fingerprint: string): TokenKey =>
  new RequestTokenKey(request, fingerprint)

/** The person of a key as a field of an event: nothing for the client's own token. */
export const subjectOf = ({ subject }: Pick<TokenKey, "subject">): { readonly subject?: string } =>
  subject === undefined ? {} : { subject }

/** The person of a request's key: whom its token is for; undefined for the client's own. */
export const keySubject = ({ callerToken, config, subject }: AccessTokenRequest): string | undefined =>
  isPersonalGrant(config.grantType) || callerToken !== undefined ? subject : undefined

/** A key that makes its string once. */
class RequestTokenKey implements TokenKey {
  readonly projectId: string
  readonly configId: string
  readonly serverName: string
  readonly subject: string | undefined
  readonly personal: boolean
  readonly fingerprint: string
  readonly memoryOnly: boolean
  #string: string | undefined

  constructor(request: AccessTokenRequest, fingerprint: string) {
    const { callerToken, config, configId = "default", projectId = "default", serverName } = request
    this.projectId = projectId
    this.configId = configId
    this.serverName = serverName
    this.personal = isPersonalGrant(config.grantType)
    this.memoryOnly = callerToken !== undefined
    this.subject = keySubject(request)
    this.fingerprint = callerToken === undefined ? fingerprint : `${fingerprint}-${callerToken.hash}`
  }

  toString(): string {
    return (this.#string ??= keyString(this))
  }
}

/**
 * Fingerprint of everything a token request depends on: endpoint or issuer, client, grant, scope, audience,
 * organization, resource, additional parameters and headers, those of the login URL, the certificate it is made with, and the person's
 * token it is made for. The client's secret, its key and how it authenticates are left out, so that rotating a
 * secret does not lose the tokens it obtained. For the same reason a token that is read from a file counts as
 * the file's name. The own keys of a grant that others define all count: which of them says whose the token is, only the
 * grant knows.
 *
 * @param certificateThumbprint the `x5t#S256` (RFC 8705 §3.1) of the client certificate presented, if any
 * @param resourceUrl the MCP server; counts where it decides which server issues the token
 */
export const tokenFingerprint = Effect.fnUntraced(function* (
  config: OAuthConfig,
  certificateThumbprint: string | undefined,
  resourceUrl?: string
) {
  const digest = yield* Digest.Digest
  const askedFor = [
    config.grantType,
    config.tokenUrl ?? null,
    config.authorizationUrl ?? null,
    config.deviceAuthorizationUrl ?? null,
    config.issuer ?? null,
    config.clientId ?? null,
    config.clientMetadataUrl ?? null,
    config.scope ?? null,
    config.audience ?? null,
    config.organization ?? null,
    config.resource ?? null,
    (config.tokenUrl === undefined ? resourceUrl : undefined) ?? null,
    certificateThumbprint ?? null,
    reveal(config.assertion),
    reveal(config.subjectToken),
    config.subjectTokenType ?? null,
    config.requestedTokenType ?? null,
    config.identityProvider?.tokenUrl ?? null,
    config.identityProvider?.clientId ?? null,
    reveal(config.identityProvider?.subjectToken),
    revealSorted(config.additionalParams),
    revealSorted(config.customHeaders),
    ...askedOtherwise(config)
  ]
  return yield* digest.digestHex(Digest.sha256, new TextEncoder().encode(JSON.stringify(askedFor)))
})

/** Keys that most configurations leave at their defaults; then they add nothing, and an earlier fingerprint stays the same. */
const askedOtherwise = (config: OAuthConfig): ReadonlyArray<unknown> => {
  const { authorizeParams, grantKeys, issuerMismatch, offlineAccess, scopeSeparator } = config
  const parameters = sorted(Object.entries(authorizeParams))
  return [
    ...(scopeSeparator === " " ? [] : [["scope_separator", scopeSeparator]]),
    ...(offlineAccess ? [] : [["offline_access", offlineAccess]]),
    ...(issuerMismatch === "refuse" ? [] : [["issuer_mismatch", issuerMismatch]]),
    ...(config.actorToken === undefined
      ? []
      : [["actor_token", reveal(config.actorToken), config.actorTokenType ?? null]]),
    ...(parameters.length === 0 ? [] : [["authorize_params", parameters]]),
    ...(grantKeys === undefined ? [] : [["keys", sorted(Object.entries(Redacted.value(grantKeys)))]])
  ]
}

const reveal = (secret: Redacted.Redacted | undefined): string | null =>
  secret === undefined ? null : Redacted.value(secret)

const revealSorted = (record: Readonly<Record<string, Redacted.Redacted<unknown>>>): ReadonlyArray<unknown> =>
  sorted(Object.entries(record).map(([name, value]) => [name, Redacted.value(value)] as const))

const sorted = <A>(entries: ReadonlyArray<readonly [name: string, value: A]>) =>
  entries.toSorted(([a], [b]) => (a < b ? -1 : 1))
