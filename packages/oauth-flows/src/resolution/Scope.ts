import { isPersonalGrant, StepUpExhausted } from "@secure-mcp/oauth-core"
import type { GrantRequest, OAuthConfig } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import type { AuthorizationServerMetadata } from "../discovery/AuthorizationServerMetadata.ts"
import type { ProtectedResourceMetadata } from "../discovery/ProtectedResourceMetadata.ts"

/** Scope names, as a list or as they are written in a request (RFC 6749 §3.3). */
export type Scope = string | ReadonlyArray<string> | undefined

/** Every name of every scope once, in order; undefined if there is none. */
export const unionScope = (...scopes: ReadonlyArray<Scope>): string | undefined => {
  const names = new Set(scopes.flatMap(scopeNames))
  return names.size === 0 ? undefined : [...names].join(" ")
}

/** The names of a scope. */
export const scopeNames = (scope: Scope): ReadonlyArray<string> =>
  (typeof scope === "string" ? scope.split(/\s+/) : (scope ?? [])).filter((name) => name !== "")

/**
 * The scope to request: the configured one and the one of the MCP server's challenge, else what the resource's
 * metadata lists, else none (MCP: Scope Selection Strategy).
 */
export const scopeToRequest = (
  { challenge, config }: GrantRequest,
  protectedResource: ProtectedResourceMetadata | undefined,
  metadata: AuthorizationServerMetadata | undefined
): string | undefined => {
  const wanted = [config.scope, challenge?.scope].filter((scope) => scope !== undefined && scope !== "")
  // A single one is sent as it is written.
  const scope =
    wanted.length === 0
      ? unionScope(protectedResource?.scopesSupported)
      : wanted.length === 1
        ? wanted[0]
        : unionScope(...wanted)
  return scope === undefined || !isPersonalGrant(config.grantType) || metadata === undefined
    ? scope
    : withOfflineAccess(scope, config, metadata.scopesSupported)
}

/** What challenges may bring beyond the configured scope: names, and characters in all. */
const mostNames = 100
const mostCharacters = 4096

/**
 * Fails if challenges of the MCP server have made a scope too long to be requested: one that demands more each time
 * would let it grow without end.
 */
export const checkDemandedScope = (
  { challenge, config }: GrantRequest,
  scope: string | undefined
): Effect.Effect<void, StepUpExhausted> => {
  if (challenge?.scope === undefined) return Effect.void
  const configured = new Set(scopeNames(config.scope))
  const demanded = scopeNames(scope).filter((name) => !configured.has(name))
  return demanded.length > mostNames || demanded.join(" ").length > mostCharacters
    ? Effect.fail(new StepUpExhausted({ attempts: 0, tooLong: true }))
    : Effect.void
}

const offlineAccess = "offline_access"

/**
 * A server that lists `offline_access` gives refresh tokens to who requests it, and one whose list lacks it may refuse
 * the request. What the configuration's own scope says is not changed.
 */
const withOfflineAccess = (
  scope: string,
  config: OAuthConfig,
  supported: ReadonlyArray<string> | undefined
): string | undefined => {
  if (scopeNames(config.scope).includes(offlineAccess)) return scope
  const isDropped = !config.offlineAccess || supported?.includes(offlineAccess) === false
  if (isDropped) return unionScope(scopeNames(scope).filter((name) => name !== offlineAccess))
  return supported === undefined ? scope : unionScope(scope, offlineAccess)
}

/** A scope as it is written in a request (RFC 6749 §3.3), or as the server wants it (`scope_separator`). */
export const writtenScope = (
  scope: Scope,
  { scopeSeparator }: Pick<OAuthConfig, "scopeSeparator">
): string | undefined => {
  if (typeof scope === "string" && scopeSeparator === " ") return scope
  const names = scopeNames(scope)
  return names.length === 0 ? undefined : names.join(scopeSeparator)
}

/** What a person's grant asks for besides the scope of the API. A server need not repeat it in its answer. */
const requestOnly: ReadonlySet<string> = new Set(["openid", "profile", "email", offlineAccess])

/** The names of a scope that a token must have. */
export const requiredNames = (scope: Scope): ReadonlyArray<string> =>
  scopeNames(scope).filter((name) => !requestOnly.has(name))
