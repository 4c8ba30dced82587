/** Scope names, as a list or as they are written in a request (RFC 6749 §3.3). */
export type Scope = string | ReadonlyArray<string> | undefined

/** Every name of every scope once, in order; undefined if there is none. */
export const unionScope = (...scopes: ReadonlyArray<Scope>): string | undefined => {
  const names = new Set(scopes.flatMap(scopeNames))
  return names.size === 0 ? undefined : [...names].join(" ")
}

/** The names of a scope. */
export const scopeNames = (scope: Scope): ReadonlyArray<string> =>
  (typeof scope === "string" ? scope.split(" ") : (scope ?? [])).filter((name) => name !== "")
