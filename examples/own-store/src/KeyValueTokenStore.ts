import { StoreUnavailable, type TokenKey } from "@secure-mcp/oauth-core"
import { makeTokenEncryption, tokenAddress, UnleasedTokenStore } from "@secure-mcp/token-cache"
import type { TokenEncryptionOptions, UnleasedStore } from "@secure-mcp/token-cache"
import * as Clock from "effect/Clock"
import * as Digest from "effect/crypto/Digest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Schema from "effect/Schema"

/** All tokens in one value, each encrypted, by the hash of its key. */
const Tokens = Schema.Record(Schema.String, Schema.Uint8ArrayFromBase64)

const unavailable = ({ message }: { readonly message: string }) => new StoreUnavailable({ problem: message })

const make = Effect.fnUntraced(function* (options: TokenEncryptionOptions) {
  const digest = yield* Digest.Digest
  const values = KeyValueStore.toSchemaStore(yield* KeyValueStore.KeyValueStore, Tokens)
  const { open, seal } = yield* makeTokenEncryption(options)

  const addressOf = (key: TokenKey) => Effect.provideService(tokenAddress(key), Digest.Digest, digest)
  const read = Effect.map(
    values.get("tokens"),
    Option.getOrElse((): typeof Tokens.Type => ({}))
  )

  /** The record at an address, until its time to live is over. */
  const living = Effect.fnUntraced(function* (address: string, sealed: Uint8Array) {
    const record = yield* open(address, sealed)
    return (record.endsAt ?? Infinity) > (yield* Clock.currentTimeMillis) ? record : undefined
  })

  return {
    get: Effect.fnUntraced(function* (key) {
      const address = yield* addressOf(key)
      const sealed = (yield* read)[address]
      const record = sealed === undefined ? undefined : yield* living(address, sealed)
      return record && { token: record.token, revision: record.revision ?? 0 }
    }, Effect.mapError(unavailable)),
    set: Effect.fnUntraced(function* (key, { revision, token }, timeToLive) {
      const address = yield* addressOf(key)
      const endsAt = (yield* Clock.currentTimeMillis) + Duration.toMillis(timeToLive)
      const end = Number.isFinite(endsAt) ? { endsAt } : {}
      const sealed = yield* seal(address, { key, token, revision, ...end })
      yield* values.set("tokens", { ...(yield* read), [address]: sealed })
    }, Effect.mapError(unavailable)),
    remove: Effect.fnUntraced(function* (key) {
      const { [yield* addressOf(key)]: _, ...others } = yield* read
      yield* values.set("tokens", others)
    }, Effect.mapError(unavailable)),
    list: Effect.gen(function* () {
      const records = yield* Effect.forEach(Object.entries(yield* read), ([address, sealed]) =>
        living(address, sealed)
      )
      return records.filter((record) => record !== undefined)
    }).pipe(Effect.mapError(unavailable)),
    checkWritable: Effect.flatMap(read, (tokens) => values.set("tokens", tokens)).pipe(
      Effect.mapError(unavailable)
    )
  } satisfies UnleasedStore
})

/** Tokens in any `KeyValueStore` of Effect: in memory, in files, in a table. It has no leases, and its type says so. */
export const keyValueTokenStore = (options: TokenEncryptionOptions) =>
  Layer.effect(UnleasedTokenStore, make(options)).pipe(Layer.provide(Digest.layerWebCrypto))
