import { hash } from "node:crypto"
import type { Caller as InboundCaller } from "@secure-mcp/inbound-auth"

/** Who sent a request to the gateway. */
export interface Caller extends InboundCaller {
  /** `personOf` this caller, if it was computed already. */
  readonly person?: string | undefined
}

/**
 * What stands for a person in the keys of tokens and sessions, and nowhere else: the name that goes with an API key, or a hash of
 * issuer and subject, because two issuers may give one name to two people. Undefined if the gateway does not know its
 * callers.
 */
export const personOf = ({ issuer, person, subject }: Caller): string | undefined => {
  if (issuer === undefined) return subject
  return person ?? `person-${hash("sha256", JSON.stringify([issuer, subject ?? null]), "base64url")}`
}

/** Makes what adds the person to a caller, and gives the same object for the same one. */
export const makePersons = (): ((caller: InboundCaller) => Caller) => {
  const known = new WeakMap<InboundCaller, Caller>()
  return (caller) => {
    const before = known.get(caller)
    if (before !== undefined) return before
    const withPerson: Caller = { ...caller, person: personOf(caller) }
    known.set(caller, withPerson)
    return withPerson
  }
}
