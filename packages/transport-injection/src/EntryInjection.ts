import type { ConfigError, DecodeOAuthConfigOptions, OAuthConfig, OAuthError } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { decodeServerEntry } from "./ServerEntry.ts"
import { TokenInjector, type TokenOwner } from "./TokenInjector.ts"
import type { WireServerEntry } from "./WireServerEntry.ts"

/**
 * The entry with the token where its server looks for it: in the `Authorization` header (RFC 6750 §2.1) of an
 * entry with `transport: "http"` or a `url`, else in the environment variables of `oauth.token_env`.
 *
 * The entry given is not changed; one without `oauth.enabled` is returned unchanged. Other headers and variables
 * stay, and those that carry the token are replaced.
 *
 * The result contains the token in plain text, because a header and a child's environment do: use it to connect or
 * to start the child, and neither log nor store it.
 */
export const injectToken = (entry: WireServerEntry, token: Redacted.Redacted): WireServerEntry => {
  const { config, oauth } = entry
  if (oauth?.enabled !== true) return entry
  return config.transport === "http" || config.url !== undefined
    ? { ...entry, config: { ...config, headers: withBearer(config.headers, token) } }
    : { ...entry, config: { ...config, env: { ...config.env, ...tokenVariables(oauth.token_env, token) } } }
}

/**
 * The environment variables that carry the token to a child, in plain text.
 *
 * @param tokenEnv their names and formats (`oauth.token_env`); default `ENKRYPT_ACCESS_TOKEN`, the token alone
 */
export const tokenVariables = (
  tokenEnv: OAuthConfig["tokenEnv"] = "ENKRYPT_ACCESS_TOKEN",
  token: Redacted.Redacted
): Readonly<Record<string, string>> =>
  Object.fromEntries(
    [tokenEnv].flat().map((variable) => {
      const { format = "{token}", name } = typeof variable === "string" ? { name: variable } : variable
      return [name, format.replace("{token}", () => Redacted.value(token))]
    })
  )

/**
 * Gets the token of an entry and injects it, as `injectToken` does.
 *
 * Fails with `OAuthError` if there is no token and with `ConfigError` if the entry is not valid; then there is no
 * entry to connect to. An entry without `oauth.enabled` needs no token and is returned unchanged and unchecked.
 *
 * `owner` says whose token; default: the client's own, of the project and configuration "default". `options.grants` are those
 * that `oauth.grant_type` may name beside the built-in ones.
 */
export const injectAccessToken = Effect.fnUntraced(function* (
  entry: WireServerEntry,
  owner: TokenOwner = {},
  options: DecodeOAuthConfigOptions = {}
): Effect.fn.Return<WireServerEntry, OAuthError | ConfigError, TokenInjector> {
  if (entry.oauth?.enabled !== true) return entry
  const injector = yield* TokenInjector
  const cached = yield* injector.tokenFor(yield* Effect.fromResult(decodeServerEntry(entry, options)), owner)
  return cached === undefined ? entry : injectToken(entry, cached.token.accessToken)
})

/** Header names ignore case: a second spelling would send two of them. */
const withBearer = (headers: Readonly<Record<string, string>> = {}, token: Redacted.Redacted) => ({
  ...Object.fromEntries(Object.entries(headers).filter(([name]) => name.toLowerCase() !== "authorization")),
  Authorization: `Bearer ${Redacted.value(token)}`
})
