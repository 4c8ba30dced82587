import { hash, randomBytes } from "node:crypto"

/** What was found out about tokens, by a digest of each: the tokens themselves are not kept. The least recently used is forgotten first. */
export interface Remembered<A> {
  readonly get: (token: string) => A | undefined
  readonly put: (token: string, found: A) => void
  readonly forget: (token: string) => void
}

/** @param capacity how many tokens */
export const makeRemembered = <A>(capacity: number): Remembered<A> => {
  const found = new Map<string, A>()
  // Nobody else can compute the digests, so nobody learns from a lookup how a token begins.
  const secret = randomBytes(32).toString("base64url")
  const digest = (token: string) => hash("sha256", secret + token, "base64url")
  return {
    get: (token) => {
      const key = digest(token)
      const value = found.get(key)
      if (value === undefined) return undefined
      found.delete(key)
      found.set(key, value)
      return value
    },
    put: (token, value) => {
      const oldest = found.size >= capacity ? found.keys().next().value : undefined
      if (oldest !== undefined) found.delete(oldest)
      found.set(digest(token), value)
    },
    forget: (token) => void found.delete(digest(token))
  }
}
