import {
  type ConfigResult,
  decodeOAuthConfig,
  isLoopbackHost,
  type OAuthConfig
} from "@secure-mcp/oauth-core"

/**
 * The configuration by which an issuer is asked: https, or http on a loopback host, and who vouches for it.
 *
 * @param keys what is configured besides
 */
export const issuerConfig = (
  { caBundlePath, issuer }: { readonly issuer: string; readonly caBundlePath?: string | undefined },
  keys: Readonly<Record<string, unknown>>
): ConfigResult<OAuthConfig> =>
  decodeOAuthConfig({
    issuer,
    enforce_https: !isLoopbackHost(URL.parse(issuer)?.hostname ?? ""),
    ...(caBundlePath === undefined ? {} : { ca_bundle_path: caBundlePath }),
    ...keys
  })
