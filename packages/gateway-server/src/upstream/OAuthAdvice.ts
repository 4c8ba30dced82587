import type { AccessTokenRequest, OAuthError } from "@secure-mcp/oauth-core"
import { presetsIn, providerIn, providerProfiles, type ProviderName } from "@secure-mcp/oauth-core/internal"

/**
 * What an error says, and what helps here: the command for a login or for a discovery that failed, and the `provider`
 * that the request seems to go to. The library's own errors name none of them.
 *
 * @param request what the error is about; without it no provider is recognised
 */
export const describeOAuthError = (error: OAuthError, request?: AccessTokenRequest): string => {
  const { message, reason, serverName } = error
  if (reason._tag === "AuthorizationRequired")
    return `${message}. Run \`secure-mcp-gateway login ${serverName}\``
  const hints = [
    request === undefined ? undefined : providerHint(reason, request),
    reason._tag === "DiscoveryFailed"
      ? `\`secure-mcp-gateway doctor ${serverName}\` shows every place that was tried`
      : undefined
  ].filter((hint) => hint !== undefined)
  return [message, ...hints].join(". ")
}

/** For an error of a server that looks like a known provider. An entry with a `provider` needs no hint. */
export const providerHint = (
  reason: OAuthError["reason"],
  { config, resourceUrl }: Pick<AccessTokenRequest, "config" | "resourceUrl">
): string | undefined => {
  if (config.provider !== undefined || !dependsOnProvider.has(reason._tag)) return undefined
  const provider = [...placesOf(reason), config.issuer, config.tokenUrl, config.authorizationUrl, resourceUrl]
    .map((text) => (text === undefined ? undefined : providerIn(text)))
    .find((name) => name !== undefined)
  return provider === undefined ? undefined : hintFor(provider, config)
}

const hintFor = (provider: ProviderName, config: AccessTokenRequest["config"]): string | undefined => {
  const { needs, title } = providerProfiles[provider]
  const effects = presetsIn(config, provider).others.map(({ effect }) => effect)
  if (effects.length > 0)
    return `This looks like ${title}: \`"provider": "${provider}"\` ${effects.join("; it ")}`
  return needs.length === 0
    ? undefined
    : `This looks like ${title}, which ${needs.map(({ what }) => what).join("; it ")}`
}

/** What another configuration may change. A server that is down is down for every provider. */
const dependsOnProvider: ReadonlySet<OAuthError["reason"]["_tag"]> = new Set([
  "Misconfigured",
  "RequestRefused",
  "InvalidResponse",
  "InsufficientScope",
  "UpstreamUnauthorized",
  "DiscoveryFailed",
  "AuthorizationDenied",
  "AuthorizationResponseInvalid"
])

/**
 * Where the error happened, and error codes that only one provider has. URLs in the words of a server do not count: it
 * could name any other there.
 */
const placesOf = (reason: OAuthError["reason"]): ReadonlyArray<string> => [
  ...("endpoint" in reason ? [reason.endpoint] : []),
  ...("url" in reason ? [reason.url] : []),
  ...("description" in reason && reason.description !== undefined
    ? [reason.description.replaceAll(/\w+:\/\//g, "")]
    : [])
]
