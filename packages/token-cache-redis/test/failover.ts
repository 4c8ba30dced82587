import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redis from "effect/persistence/Redis"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import * as References from "effect/References"
import * as Schedule from "effect/Schedule"
import {
  AuthorizationRequired,
  OAuthError,
  OAuthToken,
  TokenCache,
  type TokenKey
} from "@secure-mcp/oauth-core"
import { SingleFlightTokenCache, TokenStore } from "@secure-mcp/token-cache"
import { RedisTokenStore } from "@secure-mcp/token-cache-redis"
import { keyOf, secretOf } from "./redis.ts"

/** An instance of a gateway: a cache on a store with connections of its own. */
const openInstance = <E>(connection: Layer.Layer<Redis.Redis, E>) =>
  Effect.map(
    Layer.build(
      SingleFlightTokenCache.layer.pipe(
        Layer.provideMerge(RedisTokenStore.layer({ encryptionKey: secretOf("one") })),
        Layer.provide(connection)
      )
    ),
    (services) => ({
      cache: Context.get(services, TokenCache),
      store: Context.get(services, TokenStore)
    })
  )

const persons = Array.from({ length: 40 }, (_, number) => keyOf(`person-${number}`))

const nameOf = ({ serverName }: TokenKey): string => serverName

/** An authorization server that gives each refresh token once, and writes down one that is used again. */
const makeServer = () => {
  const current = new Map(persons.map((key) => [nameOf(key), 0]))
  const seen = { refreshes: 0, sentTwice: [] as Array<string> }
  const tokenOf = (key: TokenKey, number: number) =>
    new OAuthToken({
      accessToken: Redacted.make(`access-${nameOf(key)}-${number}`),
      refreshToken: Redacted.make(String(number)),
      tokenType: "Bearer",
      issuedAt: number,
      reusable: true
    })
  const refresh = (key: TokenKey) => (previous: OAuthToken | undefined) =>
    Effect.gen(function* () {
      // Without a grant a person has to log in.
      if (previous?.refreshToken === undefined)
        return yield* OAuthError.fail({
          operation: "get an access token",
          serverName: nameOf(key),
          reason: new AuthorizationRequired({})
        })
      const sent = Number(Redacted.value(previous.refreshToken))
      const expected = current.get(nameOf(key)) ?? 0
      if (sent !== expected) seen.sentTwice.push(`${nameOf(key)}: ${sent} instead of ${expected}`)
      current.set(nameOf(key), expected + 1)
      seen.refreshes += 1
      // An answer takes its time.
      yield* Effect.sleep("5 millis")
      return tokenOf(key, expected + 1)
    })
  return { refresh, seen, tokenOf }
}

/**
 * Three instances renew the tokens of 40 persons, 200 times a second if the machine is fast enough, while a failover happens. Each
 * refresh token must be sent once, and renewals go on afterwards.
 */
export const refreshThrough = <E>(connection: Layer.Layer<Redis.Redis, E>, failover: Effect.Effect<void>) =>
  Effect.gen(function* () {
    const instances = yield* Effect.forEach([1, 2, 3], () => openInstance(connection))
    const server = makeServer()
    for (const key of persons) yield* instances[0]!.store.set(key, server.tokenOf(key, 0), Duration.infinity)

    const isOver = yield* Ref.make(false)
    /** As a client does that asks for a new token, one request after the other. */
    const worker = (cache: TokenCache["Service"]): Effect.Effect<void> =>
      Effect.gen(function* () {
        const key = persons[yield* Random.nextIntBetween(0, persons.length - 1)] ?? keyOf("a")
        yield* Effect.ignore(
          cache.get({
            key,
            expiryBuffer: Duration.seconds(10),
            forceRefresh: true,
            acquire: server.refresh(key)
          })
        )
        yield* Effect.sleep("15 millis")
        if (!(yield* Ref.get(isOver))) yield* worker(cache)
      })
    const work = Effect.forEach(
      instances.flatMap(({ cache }) => [cache, cache, cache]),
      worker,
      { concurrency: "unbounded", discard: true }
    )
    const refreshed = (count: number) =>
      Effect.repeat(
        Effect.sync(() => server.seen.refreshes),
        { schedule: Schedule.spaced("100 millis"), until: (refreshes) => refreshes >= count }
      )
    const scene = Effect.gen(function* () {
      const before = yield* refreshed(100)
      yield* failover
      // What was under way ends.
      yield* Effect.sleep("1 second")
      yield* refreshed(server.seen.refreshes + 100)
      yield* Ref.set(isOver, true)
      return { before, after: server.seen.refreshes - before }
    })
    const [result] = yield* Effect.all([scene, work], { concurrency: 2 })

    // Every grant is still alive, at every instance.
    for (const key of persons)
      for (const { cache } of instances)
        yield* Effect.retry(
          cache.get({
            key,
            expiryBuffer: Duration.seconds(10),
            forceRefresh: true,
            acquire: server.refresh(key)
          }),
          { times: 40, schedule: Schedule.spaced("250 millis") }
        )
    return { refreshes: result, sentTwice: server.seen.sentTwice }
    // An outage fills the log.
  }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
