import * as Aead from "effect/crypto/Aead"
import * as Kdf from "effect/crypto/Kdf"
import * as Effect from "effect/Effect"
import * as Hex from "effect/encoding/Hex"
import * as Redacted from "effect/Redacted"
import { Misconfigured } from "@secure-mcp/oauth-core"

/** A key that records are encrypted with. */
export interface EncryptionKey {
  /** By this a record says which key opens it. Derived from the secret, too, and tells nothing about it. */
  readonly id: string
  readonly idBytes: Uint8Array
  readonly key: Aead.Key<Aead.AesGcm>
}

/** How many bytes a key's id has. */
export const encryptionKeyIdLength = 8

/**
 * Derives a key from a secret text (HKDF, RFC 5869). HKDF does not make guessing slow, so a weak text is refused:
 * one of fewer than 32 characters, or fewer than 8 different ones. Space around the text does not count.
 *
 * @param name what errors call the text, as in "the encryption key"
 */
export const deriveEncryptionKey = Effect.fnUntraced(function* (name: string, secret: Redacted.Redacted) {
  const problem = encryptionKeyProblem(secret)
  if (problem !== undefined) return yield* new Misconfigured({ problem: `${name} ${problem}` })
  const text = Redacted.value(secret).trim()
  const [idBytes, key] = yield* Effect.all([
    derive(text, "id", encryptionKeyIdLength),
    Effect.flatMap(derive(text, "aes-256-gcm", Aead.aes256Gcm.keyLength), (bytes) =>
      Aead.key(Aead.aes256Gcm, bytes)
    )
  ]).pipe(Effect.orDie)
  return { id: Hex.encode(idBytes), idBytes, key } satisfies EncryptionKey
})

/** Why a secret text makes no good key, as in "is too short: …"; undefined if it does. */
export const encryptionKeyProblem = (secret: Redacted.Redacted): string | undefined => {
  const text = Redacted.value(secret).trim()
  const advice = "A good one comes from: openssl rand -base64 32"
  if (text.length < 32) return `is too short: it needs at least 32 characters. ${advice}`
  if (new Set(text).size < 8)
    return `is too easy to guess: it needs at least 8 different characters. ${advice}`
  return undefined
}

const derive = (secret: string, purpose: string, length: number) =>
  Kdf.Kdf.use((kdf) =>
    kdf.derive(Kdf.hkdfSha256, utf8.encode(secret), {
      salt: new Uint8Array(),
      info: utf8.encode(`@secure-mcp/token-cache/TokenRecord/1/${purpose}`),
      length
    })
  )

const utf8 = new TextEncoder()
