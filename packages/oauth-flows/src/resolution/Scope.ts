import type { GrantRequest } from "@secure-mcp/oauth-core"
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
  protectedResource: ProtectedResourceMetadata | undefined
): string | undefined => {
  const wanted = [config.scope, challenge?.scope].filter((scope) => scope !== undefined && scope !== "")
  if (wanted.length === 0) return unionScope(protectedResource?.scopesSupported)
  // A single one is sent as it is written.
  return wanted.length === 1 ? wanted[0] : unionScope(...wanted)
}

/** A registration that leaves `offline_access` out could not ask for it later. */
export const scopeToRegister = (
  scope: string | undefined,
  supported: ReadonlyArray<string> | undefined
): string | undefined =>
  scope !== undefined && supported?.includes("offline_access") === true
    ? unionScope(scope, "offline_access")
    : scope
