import { constants, type KeyObject, verify } from "node:crypto"
import { derSignature } from "./DerSignature.ts"
import type { ParsedToken } from "./ParsedToken.ts"

/** A signature algorithm of JWS (RFC 7518 §3.1, RFC 8037, RFC 9864), and the keys that fit it. */
export interface Algorithm {
  readonly digest: "sha256" | "sha384" | "sha512" | undefined
  readonly keyType: "rsa" | "ec" | "ed25519"
  /** Of a key of type `ec`, as Node names it. */
  readonly curve?: "prime256v1" | "secp384r1" | "secp521r1"
  readonly isPss?: boolean
}

/**
 * Only algorithms with a public key. With a shared one (HS256), whoever knows it could write tokens, and the public key of
 * another algorithm could be taken for it (RFC 8725 §2.1); `none` says nothing.
 */
const algorithms: ReadonlyMap<string, Algorithm> = new Map([
  ["RS256", { digest: "sha256", keyType: "rsa" }],
  ["RS384", { digest: "sha384", keyType: "rsa" }],
  ["RS512", { digest: "sha512", keyType: "rsa" }],
  ["PS256", { digest: "sha256", keyType: "rsa", isPss: true }],
  ["PS384", { digest: "sha384", keyType: "rsa", isPss: true }],
  ["PS512", { digest: "sha512", keyType: "rsa", isPss: true }],
  ["ES256", { digest: "sha256", keyType: "ec", curve: "prime256v1" }],
  ["ES384", { digest: "sha384", keyType: "ec", curve: "secp384r1" }],
  ["ES512", { digest: "sha512", keyType: "ec", curve: "secp521r1" }],
  ["EdDSA", { digest: undefined, keyType: "ed25519" }],
  ["Ed25519", { digest: undefined, keyType: "ed25519" }]
])

/** The algorithm of a name; undefined for one that is not accepted. */
export const algorithmOf = (name: unknown): Algorithm | undefined =>
  typeof name === "string" ? algorithms.get(name) : undefined

/** RFC 7518 §3.3 */
const shortestRsaKey = 2048

/** Whether a key is of the type that an algorithm needs (RFC 8725 §3.1). */
export const fitsKey = ({ curve, keyType }: Algorithm, key: KeyObject): boolean => {
  const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {}
  if (key.asymmetricKeyType !== keyType) return false
  return keyType === "rsa" ? modulusLength >= shortestRsaKey : keyType !== "ec" || namedCurve === curve
}

/** Bytes of a coordinate (RFC 7518 §3.4). */
const sizes = { prime256v1: 32, secp384r1: 48, secp521r1: 66 } as const

/** Whether a key has signed a token. */
export const isSignedBy = (token: ParsedToken, algorithm: Algorithm, key: KeyObject): boolean => {
  try {
    const signature =
      algorithm.curve === undefined ? token.signature : derSignature(token.signature, sizes[algorithm.curve])
    if (signature === undefined) return false
    // With a key alone Node is faster than with an object around it.
    const keyOrOptions =
      algorithm.isPss === true
        ? {
            key,
            padding: constants.RSA_PKCS1_PSS_PADDING,
            saltLength: constants.RSA_PSS_SALTLEN_DIGEST
          }
        : key
    return verify(algorithm.digest, token.signed, keyOrOptions, signature)
  } catch {
    return false
  }
}
