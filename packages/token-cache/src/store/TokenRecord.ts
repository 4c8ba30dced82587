import * as Digest from "effect/crypto/Digest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { OAuthToken, tokenKeyString, type TokenKey } from "@secure-mcp/oauth-core"

/**
 * What a store outside of this process has for one key. The key is part of it because the record's address is a
 * hash. The encoded form holds the secrets in plain text: only `TokenEncryption` may see it.
 */
export const TokenRecord = Schema.Struct({
  key: Schema.Struct({
    projectId: Schema.String,
    configId: Schema.String,
    serverName: Schema.String,
    subject: Schema.optional(Schema.String),
    /** Records of earlier versions do not say. Those are persons' in the default store. */
    personal: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(true))),
    fingerprint: Schema.String
  }),
  token: OAuthToken,
  /** The number of the write, for stores that have no better place for it. */
  revision: Schema.optionalKey(Schema.Finite),
  /** When its time to live is over, in milliseconds since the epoch; absent if it has none. */
  endsAt: Schema.optionalKey(Schema.Finite)
})

/** What a store outside of this process has for one key. */
export interface TokenRecord extends Schema.Schema.Type<typeof TokenRecord> {}

/** The address of a key's record: SHA-256, in hex, of the whole key, so that a listing shows no names. */
export const tokenAddress = (key: TokenKey): Effect.Effect<string, never, Digest.Digest> =>
  Digest.Digest.use((digest) =>
    digest.digestHex(Digest.sha256, new TextEncoder().encode(tokenKeyString(key)))
  )
