import { hash, randomBytes } from "node:crypto"
import { type Ordered, UseOrder } from "@secure-mcp/oauth-core/internal"

/** What was found out about tokens, by a digest of each: the tokens themselves are not kept. The least recently used is forgotten first. */
export interface Remembered<A> {
  readonly get: (token: string) => A | undefined
  readonly put: (token: string, found: A) => void
  readonly forget: (token: string) => void
}

interface Entry<A> extends Ordered<Entry<A>> {
  readonly digest: string
  readonly found: A
}

/** @param capacity how many tokens */
export const makeRemembered = <A>(capacity: number): Remembered<A> => {
  const entries = new Map<string, Entry<A>>()
  const order = new UseOrder<Entry<A>>()
  // Nobody else can compute the digests, so nobody learns from a lookup how a token begins.
  const secret = randomBytes(32).toString("base64url")
  const digestOf = (token: string) => hash("sha256", secret + token, "base64url")
  const remove = (entry: Entry<A>) => {
    entries.delete(entry.digest)
    order.remove(entry)
  }
  return {
    get: (token) => {
      const entry = entries.get(digestOf(token))
      if (entry !== undefined) order.use(entry)
      return entry?.found
    },
    put: (token, found) => {
      const digest = digestOf(token)
      const before = entries.get(digest)
      if (before !== undefined) remove(before)
      if (entries.size >= capacity && order.oldest !== undefined) remove(order.oldest)
      const entry = { digest, found, older: undefined, newer: undefined }
      entries.set(digest, entry)
      order.use(entry)
    },
    forget: (token) => {
      const entry = entries.get(digestOf(token))
      if (entry !== undefined) remove(entry)
    }
  }
}
