import * as Digest from "effect/crypto/Digest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Base64 from "effect/encoding/Base64"
import * as Layer from "effect/Layer"
import * as Redis from "effect/persistence/Redis"
import * as Result from "effect/Result"
import { StoreUnavailable, type Misconfigured, type OAuthToken, type TokenKey } from "@secure-mcp/oauth-core"
import {
  absent,
  changeGroup,
  makeTokenEncryption,
  tokenAddress,
  tokenOfEntry,
  TokenStore,
  type SealError,
  type StoreEntry,
  type TokenEncryptionOptions,
  type TokenLease,
  type TokenRecord
} from "@secure-mcp/token-cache"
import { RedisAddress } from "./RedisConnection.ts"
import { redisKeys } from "./RedisKeys.ts"
import { unavailable } from "./RedisProblem.ts"
import { RedisReplication } from "./RedisReplication.ts"
import {
  changesScript,
  leaseScript,
  probeScript,
  readScript,
  releaseScript,
  removeScript,
  renewScript,
  setAsideScript,
  writeScript,
  type Fields
} from "./RedisScripts.ts"

/** With which key tokens are encrypted, and under which names they are stored. */
export interface RedisTokenStoreOptions extends TokenEncryptionOptions {
  /** Begins every key, so that several deployments may share one Redis. Default: `mcp-oauth`. */
  readonly keyPrefix?: string | undefined
}

/**
 * Stores tokens in Redis, encrypted, for several instances.
 *
 * @example
 * ```ts
 * import { SingleFlightTokenCache } from "@secure-mcp/token-cache"
 * import { RedisConnection, RedisTokenStore } from "@secure-mcp/token-cache-redis"
 * import * as Layer from "effect/Layer"
 * import * as Redacted from "effect/Redacted"
 *
 * const redis = RedisConnection.layer({ url: Redacted.make("rediss://gateway:password@redis.example:6379") })
 * const store = RedisTokenStore.layer({
 *   encryptionKey: Redacted.make("the output of: openssl rand -base64 32")
 * })
 *
 * export const cache = SingleFlightTokenCache.layer.pipe(Layer.provide(store), Layer.provide(redis))
 * ```
 */
export const RedisTokenStore = {
  /** Over any `Redis`, such as that of `RedisConnection`. Fails for a weak key; Redis is first asked when it is used. */
  layer: (options: RedisTokenStoreOptions): Layer.Layer<TokenStore, Misconfigured, Redis.Redis> =>
    Layer.effect(TokenStore, make(options))
}

/** Redis answers in milliseconds, or is away. */
const longestAnswer = Duration.seconds(2)

const make = Effect.fnUntraced(function* ({ keyPrefix = "mcp-oauth", ...options }: RedisTokenStoreOptions) {
  const redis = yield* Redis.Redis
  const place = yield* RedisAddress
  const { confirmed } = yield* RedisReplication
  const encryption = yield* makeTokenEncryption(options)
  const digest = yield* Digest.Digest
  const keys = redisKeys(keyPrefix)
  const addressOf = (key: TokenKey) => Effect.provideService(tokenAddress(key), Digest.Digest, digest)

  const changedKeys = (key: TokenKey, address: string) => ({
    token: keys.token(address),
    index: keys.index,
    changes: keys.changes,
    group: changeGroup(key)
  })

  const ask = <A>(
    command: string,
    question: Effect.Effect<A, Redis.RedisError | StoreUnavailable>
  ): Effect.Effect<A, StoreUnavailable> =>
    question.pipe(
      Effect.catchTag("RedisError", (error) => Effect.fail(unavailable(place, error))),
      Effect.timeoutOrElse({
        duration: longestAnswer,
        orElse: () =>
          Effect.fail(new StoreUnavailable({ problem: `${place} does not answer. Check that it runs` }))
      }),
      Effect.withSpan(`Redis.${command}`)
    )

  const find = (address: string): Effect.Effect<Found, StoreUnavailable> =>
    Effect.flatMap(ask("read", redis.eval(readScript)(keys.token(address))), (fields) =>
      interpret(address, fields)
    )

  /** What the fields of a token's hash mean. A damaged record is set aside. */
  const interpret = (
    address: string,
    [sealed, written, removed]: Fields
  ): Effect.Effect<Found, StoreUnavailable> => {
    const revision = Number(written)
    if (sealed === "")
      return Effect.succeed({
        sealed,
        entry: removed === "" ? absent : { _tag: "Removed", revision, removedAt: Number(removed) }
      })
    return Effect.flatMap(Effect.result(open(address, sealed)), (opened) => {
      if (Result.isSuccess(opened)) {
        const { key, token } = opened.success
        return Effect.succeed({ sealed, key, entry: { _tag: "Stored" as const, token, revision } })
      }
      return opened.failure._tag === "DamagedRecord"
        ? setAside(address, sealed, opened.failure)
        : Effect.fail(unusable(address, opened.failure))
    })
  }

  /** What is not base64 is no record either. */
  const open = (address: string, sealed: string): Effect.Effect<TokenRecord, SealError> =>
    encryption.open(
      address,
      Result.getOrElse(Base64.decode(sealed), () => new Uint8Array())
    )

  const setAside = Effect.fnUntraced(function* (address: string, sealed: string, { message }: SealError) {
    const run = redis.eval(setAsideScript)
    const moved = yield* ask(
      "setAside",
      run(keys.token(address), keys.index, keys.damaged(address), address, sealed)
    )
    if (moved === 0) return yield* find(address)
    yield* Effect.logWarning(
      `The token ${keys.token(address)} in ${place} cannot be used: ${message}. It was set aside as ${keys.damaged(address)}`
    )
    return { sealed: "", entry: absent } satisfies Found
  })

  const unusable = (address: string, { message }: SealError) =>
    new StoreUnavailable({ problem: `${keys.token(address)} in ${place}: ${message}` })

  /**
   * Gives the number of the write; empty if it came too late.
   *
   * @param number of the lease it is written with; empty without one
   */
  const write = Effect.fnUntraced(function* (
    key: TokenKey,
    token: OAuthToken,
    timeToLive: Duration.Duration,
    number: string
  ) {
    const address = yield* addressOf(key)
    const record = Base64.encode(yield* encryption.seal(address, { key, token }))
    return yield* ask(
      "write",
      confirmed(
        keys.token(address),
        redis.eval(writeScript)(changedKeys(key, address), {
          address,
          record,
          number,
          timeToLive: Duration.isFinite(timeToLive) ? Math.ceil(Duration.toMillis(timeToLive)) : ""
        })
      )
    )
  })

  /** Removes the record of a key if it is wanted; gives its token. */
  const take = (
    key: TokenKey,
    address: string,
    number: string,
    isWanted: (token: OAuthToken) => boolean
  ): Effect.Effect<OAuthToken | undefined, StoreUnavailable> =>
    Effect.gen(function* () {
      const { entry, sealed } = yield* find(address)
      const token = tokenOfEntry(entry)
      if (token !== undefined && !isWanted(token)) return undefined
      const removal = { address, seen: sealed, number }
      const remove = redis.eval(removeScript)(changedKeys(key, address), removal)
      const removed = yield* ask("remove", confirmed(keys.token(address), remove))
      return removed === 1 ? token : yield* take(key, address, number, isWanted)
    })

  const lease: Store["lease"] = Effect.fnUntraced(function* (key, timeToLive) {
    const address = yield* addressOf(key)
    const [leaseKey, tokenKey] = [keys.lease(address), keys.token(address)]
    const milliseconds = Duration.toMillis(timeToLive)
    const acquire = redis.eval(leaseScript)(leaseKey, tokenKey, milliseconds)
    const given = yield* ask("lease", confirmed(tokenKey, acquire))
    if (given === null) return undefined
    const [number, fields] = given
    const release = Effect.asVoid(ask("release", redis.eval(releaseScript)(leaseKey, number)))
    const { entry } = yield* Effect.onError(interpret(address, fields), () => Effect.ignore(release))
    return {
      found: entry,
      revision: Number(number),
      renew: Effect.map(
        ask("renew", redis.eval(renewScript)(leaseKey, tokenKey, number, milliseconds)),
        (renewed) => renewed === 1
      ),
      set: (token, ttl) => Effect.map(write(key, token, ttl, number), (written) => written !== ""),
      remove: (token) => Effect.asVoid(take(key, address, number, (present) => present.isSame(token))),
      release
    } satisfies TokenLease
  }, Effect.uninterruptible)

  const list = Effect.gen(function* () {
    const addresses = yield* ask("list", redis.send<ReadonlyArray<string>>("ZRANGE", keys.index, "0", "-1"))
    const found = yield* Effect.forEach(addresses, find, { concurrency: 16 })
    return found.flatMap(({ entry, key }) =>
      entry._tag === "Stored" && key !== undefined ? [{ key, token: entry.token }] : []
    )
  })

  return TokenStore.of({
    get: (key) => Effect.map(Effect.flatMap(addressOf(key), find), ({ entry }) => entry),
    // A record that another key is needed for must not be replaced unseen.
    set: (key, token, timeToLive) =>
      Effect.map(
        Effect.andThen(Effect.flatMap(addressOf(key), find), write(key, token, timeToLive, "")),
        Number
      ),
    remove: (key) => Effect.flatMap(addressOf(key), (address) => take(key, address, "", () => true)),
    list,
    checkWritable: Effect.asVoid(ask("probe", redis.eval(probeScript)(`{${keyPrefix}}:probe`))),
    lease,
    changes: (cursor = "") =>
      Effect.map(ask("changes", redis.eval(changesScript)(keys.changes, cursor)), ([last, groups]) => ({
        cursor: last,
        groups: groups.includes("start") ? undefined : new Set(groups.map(Number))
      }))
  })
}, Effect.provide(Digest.layerWebCrypto))

type Store = TokenStore["Service"]

/** What is stored for a key, and the sealed text of the record. */
interface Found {
  /** Empty if there is no token. */
  readonly sealed: string
  readonly key?: TokenKey
  readonly entry: StoreEntry
}
