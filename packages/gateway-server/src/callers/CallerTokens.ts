import { hash } from "node:crypto"
import type { CallerToken } from "@secure-mcp/oauth-core"
import * as Redacted from "effect/Redacted"
import { type Caller, personOf } from "./Person.ts"

/** Persons whose latest token is remembered, for what happens without a request of theirs, such as the start of a child. */
const capacity = 10_000

/**
 * Makes what gives the token of a caller, with which others are obtained on the caller's behalf. Of somebody who is known by name
 * only, it is the one that came last. Undefined for a caller without one.
 */
export const makeCallerTokens = (): ((caller: Caller) => CallerToken | undefined) => {
  const latest = new Map<string, CallerToken>()
  return (caller) => {
    const { expiresAt, token } = caller
    const person = personOf(caller)
    if (token === undefined) return person === undefined ? undefined : latest.get(person)
    const callerToken: CallerToken = {
      token,
      hash: hash("sha256", Redacted.value(token), "base64url"),
      ...(expiresAt === undefined ? {} : { expiresAt })
    }
    if (person !== undefined) {
      latest.delete(person)
      latest.set(person, callerToken)
      const [oldest] = latest.keys()
      if (latest.size > capacity && oldest !== undefined) latest.delete(oldest)
    }
    return callerToken
  }
}
