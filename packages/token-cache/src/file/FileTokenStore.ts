import * as Bytes from "effect/Bytes"
import * as Clock from "effect/Clock"
import * as Digest from "effect/crypto/Digest"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import * as UserDirectories from "effect/persistence/UserDirectories"
import * as Result from "effect/Result"
import { StoreUnavailable, type Misconfigured, type OAuthToken, type TokenKey } from "@secure-mcp/oauth-core"
import { absent, type StoreEntry } from "../store/StoreEntry.ts"
import { makeTokenEncryption, type SealError, type TokenEncryptionOptions } from "../store/TokenEncryption.ts"
import type { TokenLease } from "../store/TokenLease.ts"
import { tokenAddress, type TokenRecord } from "../store/TokenRecord.ts"
import { TokenStore } from "../store/TokenStore.ts"
import { openFileLeases } from "./FileLeases.ts"
import { readOrMakeKeyFile } from "./KeyFile.ts"
import { openPrivateDirectory, type ClaimedFile } from "./PrivateDirectory.ts"
import { openRemovalRecords } from "./RemovalRecords.ts"

/** Where the file store has its tokens, and with which key they are encrypted. */
export interface FileTokenStoreOptions extends Partial<TokenEncryptionOptions> {
  /** A folder for the store alone. Default: `secure-mcp-gateway/tokens` in the user's state directory (XDG). */
  readonly directory?: string | undefined
}

/**
 * Stores tokens in encrypted files, which outlive the process and which several processes on one machine share.
 *
 * @example
 * ```ts
 * import * as NodeServices from "@effect/platform-node/NodeServices"
 * import * as Layer from "effect/Layer"
 * import * as Redacted from "effect/Redacted"
 * import { FileTokenStore, SingleFlightTokenCache } from "@secure-mcp/token-cache"
 *
 * const store = FileTokenStore.layer({
 *   directory: "/var/lib/gateway/tokens",
 *   encryptionKey: Redacted.make("the output of: openssl rand -base64 32")
 * })
 *
 * export const cache = SingleFlightTokenCache.layer.pipe(Layer.provide(store), Layer.provide(NodeServices.layer))
 * ```
 */
export const FileTokenStore = {
  /**
   * Without a configured key it makes one, next to the tokens. Fails with `Misconfigured` for a weak key or a broken
   * key file, with `StoreUnavailable` for a folder that cannot be used.
   */
  layer: (
    options: FileTokenStoreOptions = {}
  ): Layer.Layer<TokenStore, Misconfigured | StoreUnavailable, FileSystem.FileSystem | Path.Path> =>
    Layer.effect(
      TokenStore,
      Effect.suspend(() => make(options))
    )
}

/**
 * One file for each key, `<SHA-256 of the key>.token`, encrypted. Reading and writing need no lock, because every
 * change is one rename. Leases and the records of removals are in a folder of their own, `leases`. A token whose
 * revision is lower than that of the last removal counts as removed.
 */
const make = Effect.fnUntraced(
  function* (options: FileTokenStoreOptions) {
    const directory = yield* openPrivateDirectory(options.directory ?? (yield* defaultDirectory))
    const leaseDirectory = yield* openPrivateDirectory(directory.pathOf("leases"))
    const leases = yield* openFileLeases(leaseDirectory)
    const removals = yield* openRemovalRecords(leaseDirectory)
    const encryption = yield* makeTokenEncryption({
      encryptionKey: options.encryptionKey ?? (yield* readOrMakeKeyFile(directory)),
      previousKeys: options.previousKeys
    })
    const digest = yield* Digest.Digest
    const addressOf = (key: TokenKey) => Effect.provideService(tokenAddress(key), Digest.Digest, digest)

    /** The record at an address, removed or not. One whose time is over is deleted, a damaged one is set aside. */
    const findRecord = (address: string): Effect.Effect<TokenRecord | undefined, StoreUnavailable> =>
      Effect.flatMap(directory.read(fileNameOf(address)), (sealed) =>
        sealed === undefined ? Effect.undefined : openRecord(address, sealed)
      )

    const openRecord = Effect.fnUntraced(function* (address: string, sealed: Uint8Array) {
      const opened = yield* Effect.result(encryption.open(address, sealed))
      if (Result.isSuccess(opened) && !(yield* hasEnded(opened.success))) return opened.success
      if (Result.isFailure(opened) && opened.failure._tag !== "DamagedRecord")
        return yield* unusable(address, opened.failure)
      const isGone = yield* clearUnchanged(address, sealed, (file) =>
        Result.isSuccess(opened) ? file.remove : setAside(address, file, opened.failure)
      )
      return isGone ? undefined : yield* findRecord(address)
    })

    /** Clears a file away unless another one was written since it was read; says whether it is gone. */
    const clearUnchanged = (
      address: string,
      sealed: Uint8Array,
      clear: (file: ClaimedFile) => Effect.Effect<void, StoreUnavailable>
    ) =>
      Effect.gen(function* () {
        const file = yield* directory.claim(fileNameOf(address))
        if (file === undefined) return true
        const unchanged = Bytes.Equivalence(file.content, sealed)
        yield* unchanged ? clear(file) : file.putBack
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

    /** Takes the record of an address away if it is wanted; gives its token. */
    const takeRecord = Effect.fnUntraced(function* (
      address: string,
      isWanted: (record: TokenRecord) => boolean
    ) {
      // A look first: while a record is claimed, no other process sees it.
      const record = yield* findRecord(address)
      if (record === undefined || !isWanted(record)) return undefined
      const file = yield* directory.claim(fileNameOf(address))
      if (file === undefined) return undefined
      const claimed = yield* encryption.open(address, file.content).pipe(
        Effect.onError(() => Effect.ignore(file.putBack)),
        Effect.mapError((error) => unusable(address, error))
      )
      if (!isWanted(claimed)) return yield* Effect.as(file.putBack, undefined)
      yield* file.remove
      return claimed.token
    })

    const find = Effect.fnUntraced(function* (
      address: string
    ): Effect.fn.Return<StoreEntry, StoreUnavailable> {
      // The removal is read first: a write that comes in between has a higher revision.
      const removed = yield* removals.get(address)
      const record = yield* findRecord(address)
      if (record === undefined) return removed ?? absent
      const revision = revisionOf(record)
      if (removed === undefined || revision > removed.revision)
        return { _tag: "Stored", token: record.token, revision }
      // It was written late, or a process died while it removed it.
      yield* Effect.ignore(takeRecord(address, (late) => revisionOf(late) <= removed.revision))
      return removed
    })

    const write = Effect.fnUntraced(function* (
      address: string,
      key: TokenKey,
      token: OAuthToken,
      timeToLive: Duration.Duration,
      revision: number
    ) {
      const now = yield* Clock.currentTimeMillis
      const endsAt = Duration.isFinite(timeToLive) ? { endsAt: now + Duration.toMillis(timeToLive) } : {}
      const sealed = yield* encryption.seal(address, { key, token, revision, ...endsAt })
      yield* directory.write(fileNameOf(address), sealed)
    })

    /** The highest revision at an address. A record that another key is needed for is an error. */
    const lastRevision = Effect.fnUntraced(function* (address: string) {
      const removed = yield* removals.get(address)
      const record = yield* findRecord(address)
      return Math.max(removed?.revision ?? 0, record === undefined ? 0 : revisionOf(record))
    })

    const set: Store["set"] = Effect.fnUntraced(function* (key, token, timeToLive) {
      const address = yield* addressOf(key)
      const revision = yield* leases.supersedeAll(address, "write", yield* lastRevision(address))
      yield* write(address, key, token, timeToLive, revision)
      return revision
    }, Effect.uninterruptible)

    /** The removal is on record before the token leaves: a process that dies in between has removed it. */
    const remove: Store["remove"] = Effect.fnUntraced(function* (key) {
      const address = yield* addressOf(key)
      const revision = yield* leases.supersedeAll(address, "removal", yield* lastRevision(address))
      const removedAt = yield* Clock.currentTimeMillis
      yield* removals.set(address, { _tag: "Removed", revision, removedAt })
      return yield* takeRecord(address, (record) => revisionOf(record) <= revision)
    }, Effect.uninterruptible)

    const lease: Store["lease"] = Effect.fnUntraced(function* (key, timeToLive) {
      const address = yield* addressOf(key)
      const revision = yield* leases.give(address, timeToLive, yield* lastRevision(address))
      if (revision === undefined) return undefined
      const release = leases.release(address, revision)
      const found = yield* Effect.onError(find(address), () => Effect.ignore(release))
      return {
        found,
        revision,
        renew: leases.renew(address, revision, timeToLive),
        set: Effect.fnUntraced(function* (token, ttl) {
          if (!(yield* leases.supersede(address, revision))) return false
          yield* write(address, key, token, ttl, revision)
          return true
        }, Effect.uninterruptible),
        remove: (token) =>
          takeRecord(address, (record) => record.token.isSame(token)).pipe(
            Effect.asVoid,
            Effect.uninterruptible
          ),
        release
      } satisfies TokenLease
    }, Effect.uninterruptible)

    const list = Effect.gen(function* () {
      const addresses = (yield* directory.names).flatMap((name) => fileName.exec(name)?.[1] ?? [])
      const records = yield* Effect.forEach(
        addresses,
        (address) => Effect.all([removals.get(address), findRecord(address)]),
        { concurrency: 16 }
      )
      return records.flatMap(([removed, record]) =>
        record === undefined || (removed !== undefined && revisionOf(record) <= removed.revision)
          ? []
          : [{ key: record.key, token: record.token }]
      )
    })

    return TokenStore.of({
      get: (key) => Effect.flatMap(addressOf(key), find),
      set,
      remove,
      list,
      checkWritable: directory.checkWritable,
      lease
    })
  },
  Effect.provide(Layer.mergeAll(Digest.layerWebCrypto, SecureRandom.layerWebCrypto))
)

type Store = TokenStore["Service"]

const fileNameOf = (address: string): string => `${address}.token`
const fileName = /^([0-9a-f]{64})\.token$/

/** A record of an earlier version has none. */
const revisionOf = ({ revision }: TokenRecord): number => revision ?? 0

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
