import * as Digest from "effect/crypto/Digest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Base64 from "effect/encoding/Base64"
import * as Layer from "effect/Layer"
import * as Redis from "effect/persistence/Redis"
import * as Result from "effect/Result"
import { StoreUnavailable, type Misconfigured, type OAuthToken, type TokenKey } from "@secure-mcp/oauth-core"
import {
  makeTokenEncryption,
  tokenAddress,
  TokenStore,
  type SealError,
  type TokenEncryptionOptions,
  type TokenLease,
  type TokenRecord
} from "@secure-mcp/token-cache"
import { RedisAddress } from "./RedisConnection.ts"
import { redisKeys } from "./RedisKeys.ts"
import { unavailable } from "./RedisProblem.ts"
import {
  leaseScript,
  probeScript,
  releaseScript,
  removeScript,
  renewScript,
  setAsideScript,
  writeScript
} from "./RedisScripts.ts"

/** With which key tokens are encrypted, and under which names they are kept. */
export interface RedisTokenStoreOptions extends TokenEncryptionOptions {
  /** Begins every key, so that several deployments may share one Redis. Default: `mcp-oauth`. */
  readonly keyPrefix?: string | undefined
}

/** Keeps tokens in Redis, encrypted, for several instances. */
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
  const encryption = yield* makeTokenEncryption(options)
  const digest = yield* Digest.Digest
  const keys = redisKeys(keyPrefix)
  const addressOf = (key: TokenKey) => Effect.provideService(tokenAddress(key), Digest.Digest, digest)

  const ask = <A>(question: Effect.Effect<A, Redis.RedisError>): Effect.Effect<A, StoreUnavailable> =>
    question.pipe(
      Effect.mapError((error) => unavailable(place, error)),
      Effect.timeoutOrElse({
        duration: longestAnswer,
        orElse: () =>
          Effect.fail(new StoreUnavailable({ problem: `${place} does not answer. Check that it runs` }))
      })
    )

  const readSealed = (address: string) =>
    ask(redis.send<string | null>("HGET", keys.token(address), "record"))

  const find = (address: string): Effect.Effect<Found | undefined, StoreUnavailable> =>
    Effect.flatMap(readSealed(address), (sealed) => judge(address, sealed ?? ""))

  /** The record in a sealed text. What is damaged is set aside. */
  const judge = (address: string, sealed: string): Effect.Effect<Found | undefined, StoreUnavailable> =>
    sealed === ""
      ? Effect.undefined
      : Effect.flatMap(Effect.result(open(address, sealed)), (opened) => {
          if (Result.isSuccess(opened)) return Effect.succeed({ sealed, record: opened.success })
          return opened.failure._tag === "DamagedRecord"
            ? setAside(address, sealed, opened.failure)
            : Effect.fail(unusable(address, opened.failure))
        })

  /** What is not base64 is no record either. */
  const open = (address: string, sealed: string): Effect.Effect<TokenRecord, SealError> =>
    encryption.open(
      address,
      Result.getOrElse(Base64.decode(sealed), () => new Uint8Array())
    )

  const setAside = Effect.fnUntraced(function* (address: string, sealed: string, { message }: SealError) {
    const run = redis.eval(setAsideScript)
    const moved = yield* ask(run(keys.token(address), keys.index, keys.damaged(address), address, sealed))
    if (moved === 0) return yield* find(address)
    yield* Effect.logWarning(
      `The token ${keys.token(address)} in ${place} cannot be used: ${message}. It was set aside as ${keys.damaged(address)}`
    )
    return undefined
  })

  const unusable = (address: string, { message }: SealError) =>
    new StoreUnavailable({ problem: `${keys.token(address)} in ${place}: ${message}` })

  /** @param number of the lease it is written with; empty without one */
  const write = Effect.fnUntraced(function* (
    key: TokenKey,
    token: OAuthToken,
    timeToLive: Duration.Duration,
    number: string
  ) {
    const address = yield* addressOf(key)
    const record = Base64.encode(yield* encryption.seal(address, { key, token }))
    const written = yield* ask(
      redis.eval(writeScript)(keys.token(address), keys.index, {
        address,
        record,
        number,
        timeToLive: Duration.isFinite(timeToLive) ? Math.ceil(Duration.toMillis(timeToLive)) : ""
      })
    )
    return written === 1
  })

  /** Removes the record of a key if it is wanted; gives its token. */
  const take = (
    address: string,
    number: string,
    isWanted: (token: OAuthToken) => boolean
  ): Effect.Effect<OAuthToken | undefined, StoreUnavailable> =>
    Effect.gen(function* () {
      const found = yield* find(address)
      if (found !== undefined && !isWanted(found.record.token)) return undefined
      const removal = { address, seen: found?.sealed ?? "", number }
      const removed = yield* ask(redis.eval(removeScript)(keys.token(address), keys.index, removal))
      return removed === 1 ? found?.record.token : yield* take(address, number, isWanted)
    })

  const lease: Store["lease"] = Effect.fnUntraced(function* (key, timeToLive) {
    const address = yield* addressOf(key)
    const [leaseKey, tokenKey] = [keys.lease(address), keys.token(address)]
    const milliseconds = Duration.toMillis(timeToLive)
    const given = yield* ask(redis.eval(leaseScript)(leaseKey, tokenKey, milliseconds))
    if (given === null) return undefined
    const [number, sealed] = given
    const release = Effect.asVoid(ask(redis.eval(releaseScript)(leaseKey, number)))
    const found = yield* Effect.onError(judge(address, sealed), () => Effect.ignore(release))
    return {
      found: found?.record.token,
      renew: Effect.map(
        ask(redis.eval(renewScript)(leaseKey, tokenKey, number, milliseconds)),
        (renewed) => renewed === 1
      ),
      set: (token, keptFor) => write(key, token, keptFor, number),
      remove: (token) =>
        Effect.asVoid(take(address, number, (present) => present.isAccessToken(token.accessToken))),
      release
    } satisfies TokenLease
  }, Effect.uninterruptible)

  const list = Effect.gen(function* () {
    const addresses = yield* ask(redis.send<ReadonlyArray<string>>("ZRANGE", keys.index, "0", "-1"))
    const found = yield* Effect.forEach(addresses, find, { concurrency: 16 })
    return found.flatMap((one) =>
      one === undefined ? [] : [{ key: one.record.key, token: one.record.token }]
    )
  })

  return {
    get: (key) => Effect.map(Effect.flatMap(addressOf(key), find), (found) => found?.record.token),
    // A record that another key is needed for must not be replaced unseen.
    set: (key, token, timeToLive) =>
      Effect.asVoid(Effect.andThen(Effect.flatMap(addressOf(key), find), write(key, token, timeToLive, ""))),
    remove: (key) => Effect.flatMap(addressOf(key), (address) => take(address, "", () => true)),
    list,
    checkWritable: Effect.asVoid(ask(redis.eval(probeScript)(`{${keyPrefix}}:probe`))),
    lease
  } satisfies Store
}, Effect.provide(Digest.layerWebCrypto))

type Store = TokenStore["Service"]

/** A record, and the sealed text it was in. */
interface Found {
  readonly sealed: string
  readonly record: TokenRecord
}
