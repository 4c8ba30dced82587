import * as Bytes from "effect/Bytes"
import * as Aead from "effect/crypto/Aead"
import * as Kdf from "effect/crypto/Kdf"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Hex from "effect/encoding/Hex"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { deriveEncryptionKey, encryptionKeyIdLength } from "./EncryptionKey.ts"
import { TokenRecord } from "./TokenRecord.ts"

/** The secrets that records are encrypted with. */
export interface TokenEncryptionOptions {
  /** Any text of at least 32 characters, such as 32 random bytes in base64. */
  readonly encryptionKey: Redacted.Redacted
  /** Keys from before. They still open what was sealed with them; whatever is written is sealed with the first. */
  readonly previousKeys?: ReadonlyArray<Redacted.Redacted> | undefined
}

/** Encrypts the records of a store whose data leave the process. */
export interface TokenEncryption {
  /** Encrypts a record for one address: opened at any other, it counts as damaged. */
  readonly seal: (address: string, record: TokenRecord) => Effect.Effect<Uint8Array>
  readonly open: (address: string, sealed: Uint8Array) => Effect.Effect<TokenRecord, SealError>
}

/** Why a sealed record was not opened. */
export type SealError = WrongEncryptionKey | LaterRecordVersion | DamagedRecord

/** The record may be whole, but none of the configured keys is the one it was sealed with. */
export class WrongEncryptionKey extends Schema.TaggedError<WrongEncryptionKey>()("WrongEncryptionKey", {
  /** Of the key that is missing. */
  keyId: Schema.String,
  /** Of those that are configured. */
  configuredKeyIds: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `it was encrypted with another key (${this.keyId}) than the configured one (${this.configuredKeyIds.join(", ")}). Configure the key it was encrypted with, or list it among the previous keys`
  }
}

/** The record was sealed by a later version of this package. */
export class LaterRecordVersion extends Schema.TaggedError<LaterRecordVersion>()("LaterRecordVersion", {
  version: Schema.Int
}) {
  override get message(): string {
    return `it was written by a later version of this program (record version ${this.version})`
  }
}

/** Torn, tampered with, moved from another address, or not a record at all. */
export class DamagedRecord extends Schema.TaggedError<DamagedRecord>()("DamagedRecord", {
  problem: Schema.String
}) {
  override get message(): string {
    return this.problem
  }
}

const cryptography = Layer.mergeAll(Aead.layerWebCrypto, Kdf.layerWebCrypto).pipe(
  Layer.provideMerge(SecureRandom.layerWebCrypto)
)

/**
 * AES-256-GCM with a random nonce for each record. A sealed record is
 *
 *     "SMT" · version (1 byte) · key id (8) · nonce (12) · ciphertext and tag
 *
 * and what stands before the nonce is authenticated together with the address. Random nonces are safe for some
 * 2^32 records a key.
 */
export const makeTokenEncryption = Effect.fnUntraced(function* (options: TokenEncryptionOptions) {
  const aead = yield* Aead.Aead
  const random = yield* SecureRandom.SecureRandom
  const sealing = yield* deriveEncryptionKey("the encryption key", options.encryptionKey)
  const previous = yield* Effect.forEach(options.previousKeys ?? [], (secret, index) =>
    deriveEncryptionKey(`previous encryption key ${index + 1}`, secret)
  )
  const keys = new Map([sealing, ...previous].map(({ id, key }) => [id, key]))
  const sealingHeader = Bytes.concat([magic, Uint8Array.of(version), sealing.idBytes])

  const seal: TokenEncryption["seal"] = Effect.fnUntraced(
    function* (address, record) {
      const nonce = yield* random.randomBytes(Aead.aes256Gcm.nonceLength)
      const plaintext = utf8.encode(yield* encodeRecord(record))
      const aad = authenticated(sealingHeader, address)
      const ciphertext = yield* aead.encrypt(sealing.key, plaintext, { nonce, aad })
      return Bytes.concat([sealingHeader, nonce, ciphertext])
    },
    // Only a bug fails here.
    Effect.orDie
  )

  const open: TokenEncryption["open"] = Effect.fnUntraced(function* (address, sealed) {
    const { ciphertext, header, keyId, nonce } = yield* parse(sealed)
    const key = keys.get(keyId)
    if (key === undefined) return yield* new WrongEncryptionKey({ keyId, configuredKeyIds: [...keys.keys()] })
    const plaintext = yield* aead
      .decrypt(key, ciphertext, { nonce, aad: authenticated(header, address) })
      .pipe(
        Effect.catchReason("CryptoError", "DecryptionFailed", () =>
          Effect.fail(new DamagedRecord({ problem: "it was changed, or moved from another place" }))
        ),
        Effect.catchTag("CryptoError", Effect.die)
      )
    // The parser's own words may quote the plaintext.
    return yield* Effect.mapError(
      decodeRecord(new TextDecoder().decode(plaintext)),
      () => new DamagedRecord({ problem: "it holds no token record" })
    )
  })

  return { seal, open } satisfies TokenEncryption
}, Effect.provide(cryptography))

const parse = (sealed: Uint8Array) => {
  const damaged = (problem: string) => Effect.fail(new DamagedRecord({ problem }))
  if (magic.some((byte, index) => sealed[index] !== byte)) return damaged("it is not a token record")
  const found = sealed[magic.length]
  if (found === undefined || sealed.length < headerLength + Aead.aes256Gcm.nonceLength)
    return damaged("it ends too early")
  if (found !== version)
    return found > version
      ? Effect.fail(new LaterRecordVersion({ version: found }))
      : damaged("it is not a token record")
  const header = sealed.subarray(0, headerLength)
  return Effect.succeed({
    header,
    keyId: Hex.encode(header.subarray(magic.length + 1)),
    nonce: sealed.subarray(headerLength, headerLength + Aead.aes256Gcm.nonceLength),
    ciphertext: sealed.subarray(headerLength + Aead.aes256Gcm.nonceLength)
  })
}

const version = 1

const authenticated = (header: Uint8Array, address: string): Uint8Array =>
  Bytes.concat([header, utf8.encode(address)])

const RecordJson = Schema.fromJsonString(TokenRecord)
const encodeRecord = Schema.encodeEffect(RecordJson)
const decodeRecord = Schema.decodeEffect(RecordJson)
const utf8 = new TextEncoder()
const magic = utf8.encode("SMT")
const headerLength = magic.length + 1 + encryptionKeyIdLength
