import type { AllowedCallers } from "../config/AllowedCallers.ts"
import type { Caller } from "./Person.ts"

/** Whether a caller may use a server, as `gateway.allow` says. */
export const mayUse = (allowed: AllowedCallers | undefined, caller: Caller): boolean => {
  if (allowed === undefined) return true
  const { groups = [], scopes = [], subject } = caller
  return (
    (subject !== undefined && allowed.subjects.includes(subject)) ||
    allowed.groups.some((group) => groups.includes(group)) ||
    allowed.scopes.some((scope) => scopes.includes(scope))
  )
}
