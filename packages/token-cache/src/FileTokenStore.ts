import * as Bytes from "effect/Bytes"
import * as Clock from "effect/Clock"
import * as Digest from "effect/crypto/Digest"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import * as UserDirectories from "effect/persistence/UserDirectories"
import * as Result from "effect/Result"
import { StoreUnavailable, type OAuthToken, type TokenKey } from "@secure-mcp/oauth-core"
import { openFileLeases } from "./FileLeases.ts"
import { isSameAccessToken } from "./HeldToken.ts"
import { readOrMakeKeyFile } from "./KeyFile.ts"
import { openPrivateDirectory, type ClaimedFile } from "./PrivateDirectory.ts"
import { makeTokenEncryption, type SealError, type TokenEncryptionOptions } from "./TokenEncryption.ts"
import { tokenAddress, type TokenRecord } from "./TokenRecord.ts"
import type { TokenLease } from "./TokenLease.ts"
import type { TokenStore } from "./TokenStore.ts"

/** Where the file store keeps its tokens, and with which key they are encrypted. */
export interface FileTokenStoreOptions extends Partial<TokenEncryptionOptions> {
  /** A folder for the store alone. Default: `secure-mcp-gateway/tokens` in the user's state directory (XDG). */
  readonly directory?: string | undefined
}

/**
 * The file store: one file for each key, `<SHA-256 of the key>.token`, encrypted. Reading and writing need no lock,
 * because every change is one rename. Without a configured key it uses the file `key` next to the tokens, and makes
 * it first. The leases are in a folder of their own, `leases`.
 */
export const makeFileTokenStore = Effect.fnUntraced(
  function* (options: FileTokenStoreOptions) {
    const directory = yield* openPrivateDirectory(options.directory ?? (yield* defaultDirectory))
    const leases = yield* openFileLeases(directory.pathOf("leases"))
    const encryption = yield* makeTokenEncryption({
      encryptionKey: options.encryptionKey ?? (yield* readOrMakeKeyFile(directory)),
      previousKeys: options.previousKeys
    })
    const digest = yield* Digest.Digest
    const addressOf = (key: TokenKey) => Effect.provideService(tokenAddress(key), Digest.Digest, digest)

    /** The record at an address, if it lives. What has ended leaves, what is damaged is set aside. */
    const find = (address: string): Effect.Effect<TokenRecord | undefined, StoreUnavailable> =>
      Effect.flatMap(directory.read(fileNameOf(address)), (sealed) =>
        sealed === undefined ? Effect.undefined : judge(address, sealed)
      )

    const judge = Effect.fnUntraced(function* (address: string, sealed: Uint8Array) {
      const opened = yield* Effect.result(encryption.open(address, sealed))
      if (Result.isSuccess(opened) && !(yield* hasEnded(opened.success))) return opened.success
      if (Result.isFailure(opened) && opened.failure._tag !== "DamagedRecord")
        return yield* unusable(address, opened.failure)
      const taken = yield* takeUnchanged(address, sealed, (file) =>
        Result.isSuccess(opened) ? file.remove : setAside(address, file, opened.failure)
      )
      return taken ? undefined : yield* find(address)
    })

    /** Takes a file away unless somebody has written another one since it was read; says whether it is gone. */
    const takeUnchanged = (
      address: string,
      sealed: Uint8Array,
      take: (file: ClaimedFile) => Effect.Effect<void, StoreUnavailable>
    ) =>
      Effect.gen(function* () {
        const file = yield* directory.claim(fileNameOf(address))
        if (file === undefined) return true
        const unchanged = Bytes.Equivalence(file.content, sealed)
        yield* unchanged ? take(file) : file.putBack
        return unchanged
      }).pipe(Effect.uninterruptible)

    const setAside = (address: string, file: ClaimedFile, { message }: SealError) =>
      Effect.flatMap(file.setAside, (path) =>
        Effect.logWarning(
          `The token file ${directory.pathOf(fileNameOf(address))} cannot be used: ${message}. It was set aside as ${path}`
        )
      )

    const unusable = (address: string, { message }: SealError) =>
      new StoreUnavailable({ problem: `${directory.pathOf(fileNameOf(address))}: ${message}` })

    const write = Effect.fnUntraced(function* (
      address: string,
      key: TokenKey,
      token: OAuthToken,
      timeToLive: Duration.Duration
    ) {
      const now = yield* Clock.currentTimeMillis
      const endsAt = Duration.isFinite(timeToLive) ? { endsAt: now + Duration.toMillis(timeToLive) } : {}
      const sealed = yield* encryption.seal(address, { key, token, ...endsAt })
      yield* directory.write(fileNameOf(address), sealed)
    })

    const set: Store["set"] = Effect.fnUntraced(function* (key, token, timeToLive) {
      const address = yield* addressOf(key)
      // A record that another key is needed for must not be replaced unseen.
      yield* find(address)
      yield* leases.supersedeAll(address)
      yield* write(address, key, token, timeToLive)
    }, Effect.uninterruptible)

    /** Takes the record of an address away, if it is wanted; gives its token. */
    const take = Effect.fnUntraced(function* (address: string, isWanted: (token: OAuthToken) => boolean) {
      // A look first: while a record is claimed, nobody else sees it.
      const record = yield* find(address)
      if (record === undefined || !isWanted(record.token)) return undefined
      const file = yield* directory.claim(fileNameOf(address))
      if (file === undefined) return undefined
      const { token } = yield* encryption.open(address, file.content).pipe(
        Effect.onError(() => Effect.ignore(file.putBack)),
        Effect.mapError((error) => unusable(address, error))
      )
      if (!isWanted(token)) return yield* Effect.as(file.putBack, undefined)
      yield* file.remove
      return token
    })

    const remove: Store["remove"] = Effect.fnUntraced(function* (key) {
      const address = yield* addressOf(key)
      yield* leases.supersedeAll(address)
      return yield* take(address, () => true)
    }, Effect.uninterruptible)

    const lease: Store["lease"] = Effect.fnUntraced(function* (key, timeToLive) {
      const address = yield* addressOf(key)
      const given = yield* leases.give(address, timeToLive)
      if (given === undefined) return undefined
      const release = leases.takeBack(address, given)
      const found = yield* Effect.onError(find(address), () => Effect.ignore(release))
      return {
        found: found?.token,
        renew: leases.renew(address, given, timeToLive),
        set: Effect.fnUntraced(function* (token, keptFor) {
          const isInTime = yield* leases.supersede(address, given)
          if (isInTime) yield* write(address, key, token, keptFor)
          return isInTime
        }, Effect.uninterruptible),
        remove: (token) =>
          take(address, (present) => isSameAccessToken(present, token)).pipe(
            Effect.asVoid,
            Effect.uninterruptible
          ),
        release
      } satisfies TokenLease
    }, Effect.uninterruptible)

    const list = Effect.gen(function* () {
      const addresses = (yield* directory.names).flatMap((name) => fileName.exec(name)?.[1] ?? [])
      const records = yield* Effect.forEach(addresses, find, { concurrency: 16 })
      return records.flatMap((record) =>
        record === undefined ? [] : [{ key: record.key, token: record.token }]
      )
    })

    return {
      get: (key) => Effect.map(Effect.flatMap(addressOf(key), find), (record) => record?.token),
      set,
      remove,
      list,
      checkWritable: directory.checkWritable,
      lease
    } satisfies Store
  },
  Effect.provide(Layer.mergeAll(Digest.layerWebCrypto, SecureRandom.layerWebCrypto))
)

type Store = TokenStore["Service"]

const fileNameOf = (address: string): string => `${address}.token`
const fileName = /^([0-9a-f]{64})\.token$/

const hasEnded = ({ endsAt }: TokenRecord): Effect.Effect<boolean> =>
  Effect.map(Clock.currentTimeMillis, (now) => endsAt !== undefined && endsAt <= now)

const defaultDirectory = Effect.gen(function* () {
  const { state } = yield* UserDirectories.UserDirectories
  const { join } = yield* Path.Path
  return join(yield* state("secure-mcp-gateway"), "tokens")
}).pipe(
  Effect.mapError(
    () => new StoreUnavailable({ problem: "the user's state directory is not known. Configure a directory" })
  ),
  Effect.provide(UserDirectories.layer)
)
