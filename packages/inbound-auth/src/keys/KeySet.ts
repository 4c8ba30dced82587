import { createPublicKey, type KeyObject } from "node:crypto"
import * as Predicate from "effect/Predicate"
import { type Algorithm, fitsKey } from "../jwt/Signature.ts"

/** A public key of an issuer (RFC 7517 §4). */
export interface IssuerKey {
  readonly key: KeyObject
  readonly id: string | undefined
  /** The only algorithm it is for, if its issuer says so. */
  readonly algorithm: string | undefined
}

/** Real issuers have a handful. */
const mostKeys = 100

/** Reads a key set (RFC 7517 §5). A key that cannot be used for signatures is left out, whatever else is wrong with it. */
export const readKeySet = (keys: ReadonlyArray<unknown>): ReadonlyArray<IssuerKey> =>
  keys.slice(0, mostKeys).flatMap((jwk) => {
    const key = readKey(jwk)
    return key === undefined ? [] : [key]
  })

const readKey = (jwk: unknown): IssuerKey | undefined => {
  if (!Predicate.isObject(jwk)) return undefined
  const { alg, crv, e, key_ops: operations, kid, kty, n, use, x, y } = { ...emptyKey, ...jwk }
  if (use !== undefined && use !== "sig") return undefined
  if (Array.isArray(operations) && !operations.includes("verify")) return undefined
  // Only what is public: a private key that was published by mistake is not made anything of.
  const parts = Object.entries({ kty, crv, n, e, x, y }).filter(([, part]) => Predicate.isString(part))
  try {
    return {
      key: createPublicKey({ key: Object.fromEntries(parts), format: "jwk" }),
      id: Predicate.isString(kid) ? kid : undefined,
      algorithm: Predicate.isString(alg) ? alg : undefined
    }
  } catch {
    return undefined
  }
}

const emptyKey: Readonly<Record<string, unknown>> = {}

/** The keys that may have signed a token with this header: of its `kid`, if it has one, and of the type of its algorithm. */
export const keysFor = (
  keys: ReadonlyArray<IssuerKey>,
  header: { readonly kid: unknown; readonly alg: string },
  algorithm: Algorithm
): ReadonlyArray<IssuerKey> =>
  keys.filter(
    ({ algorithm: only, id, key }) =>
      (header.kid === undefined || id === undefined || id === header.kid) &&
      (only === undefined || only === header.alg) &&
      fitsKey(algorithm, key)
  )
