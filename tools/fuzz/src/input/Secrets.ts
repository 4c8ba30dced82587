import { createHash } from "node:crypto"
import * as fc from "fast-check"

/** A secret that can be recognised wherever it turns up, and that is the same in every run, so that inputs can be kept. */
export const secretNamed = (name: string): string =>
  `canary-${name}-${createHash("sha256").update(name).digest("hex").slice(0, 24)}`

/** Encodings in which a careless peer may send back what it was sent. */
const encodings: ReadonlyArray<(secret: string) => string> = [
  (secret) => secret,
  (secret) => encodeURIComponent(encodeURIComponent(`=${secret}`)),
  (secret) => percentEncoded(secret),
  (secret) => Buffer.from(secret).toString("base64"),
  (secret) => Buffer.from(`client:${secret}`).toString("base64url"),
  (secret) => Buffer.from(secret).toString("hex"),
  (secret) => Array.from(secret, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`).join(""),
  (secret) => Array.from(secret, (unit) => `&#${unit.charCodeAt(0)};`).join("")
]

const percentEncoded = (text: string): string =>
  Array.from(text, (unit) => `%${unit.charCodeAt(0).toString(16)}`).join("")

/** One of the secrets in one of the encodings. */
export const encodedSecret = (secrets: ReadonlyArray<string>): fc.Arbitrary<string> =>
  fc
    .tuple(fc.constantFrom(...secrets), fc.constantFrom(...encodings))
    .map(([secret, encode]) => encode(secret))
