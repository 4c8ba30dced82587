import { hash } from "node:crypto"
import type { CallerToken } from "@secure-mcp/oauth-core"
import { type Ordered, UseOrder } from "@secure-mcp/oauth-core/internal"
import * as Redacted from "effect/Redacted"
import { type Caller, personOf } from "./Person.ts"

/** Persons whose latest token is remembered, for what happens without a request of theirs, such as the start of a child. */
const capacity = 10_000

interface Entry extends Ordered<Entry> {
  readonly person: string
  latest: CallerToken
}

/**
 * Makes what gives the token of a caller, with which others are obtained on the caller's behalf. Of somebody who is known by name
 * only, it is the one that came last. Undefined for a caller without one.
 */
export const makeCallerTokens = (): ((caller: Caller) => CallerToken | undefined) => {
  const entries = new Map<string, Entry>()
  const order = new UseOrder<Entry>()

  const remember = (person: string, latest: CallerToken) => {
    const known = entries.get(person)
    const entry = known ?? { person, latest, older: undefined, newer: undefined }
    entry.latest = latest
    order.use(entry)
    if (known !== undefined) return
    entries.set(person, entry)
    const { oldest } = order
    if (entries.size <= capacity || oldest === undefined) return
    entries.delete(oldest.person)
    order.remove(oldest)
  }

  return (caller) => {
    const { expiresAt, token } = caller
    const person = personOf(caller)
    if (token === undefined) return person === undefined ? undefined : entries.get(person)?.latest
    const callerToken: CallerToken = {
      token,
      hash: hash("sha256", Redacted.value(token), "base64url"),
      ...(expiresAt === undefined ? {} : { expiresAt })
    }
    if (person !== undefined) remember(person, callerToken)
    return callerToken
  }
}
