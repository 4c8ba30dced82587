import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import * as References from "effect/References"
import * as Schedule from "effect/Schedule"
import {
  AuthorizationRequired,
  OAuthError,
  OAuthToken,
  type TokenCache,
  type TokenCacheRequest,
  type TokenKey
} from "@secure-mcp/oauth-core"
import { ContractViolation, expect, keyNamed } from "./ContractPoint.ts"

type Cache = TokenCache["Service"]

const persons = Array.from({ length: 40 }, (_, number) => keyNamed(`outage-${number}`))

/** How many tokens are renewed before the outage, and afterwards. */
const renewals = 100

/** An authorization server that gives each refresh token once, and writes down one that is sent again. */
const makeServer = () => {
  const current = new Map(persons.map(({ serverName }) => [serverName, 0]))
  const seen = { refreshes: 0, sentTwice: 0 }
  const tokenOf = ({ serverName }: TokenKey, number: number) =>
    new OAuthToken({
      accessToken: Redacted.make(`access-${serverName}-${number}`),
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
          serverName: key.serverName,
          reason: new AuthorizationRequired({})
        })
      const expected = current.get(key.serverName) ?? 0
      if (Redacted.value(previous.refreshToken) !== String(expected)) seen.sentTwice += 1
      current.set(key.serverName, expected + 1)
      seen.refreshes += 1
      // An answer takes its time.
      yield* Effect.sleep("5 millis")
      return tokenOf(key, expected + 1)
    })
  /** Asks for a new token, whatever is in the cache. */
  const request = (key: TokenKey): TokenCacheRequest => ({
    key,
    expiryBuffer: Duration.seconds(10),
    forceRefresh: true,
    acquire: refresh(key)
  })
  return { request, seen, tokenOf }
}

/**
 * Renews the tokens of 40 persons, 200 times a second if the machine is fast enough, while the store is away or another server of it
 * takes over. Fails with a `ContractViolation` if a refresh token is sent twice or a grant is lost. Runs under the live clock and
 * ends once 100 tokens were renewed after the outage, so give the test a time limit.
 *
 * @param caches of instances that share the store, each with a connection of its own
 * @param outage happens once 100 tokens were renewed; the store has to come back by itself or at its end
 * @example
 * ```ts
 * import { it } from "@effect/vitest"
 * import type * as Effect from "effect/Effect"
 * import type { TokenCache } from "@secure-mcp/oauth-core"
 * import { renewThroughOutage } from "@secure-mcp/token-cache/testing"
 *
 * declare const caches: ReadonlyArray<TokenCache["Service"]>
 * declare const restartMyDatabase: Effect.Effect<void>
 *
 * it.live("no refresh token is sent twice through an outage", () => renewThroughOutage(caches, restartMyDatabase))
 * ```
 */
export const renewThroughOutage = (
  caches: ReadonlyArray<Cache>,
  outage: Effect.Effect<void>
): Effect.Effect<void, ContractViolation> =>
  Effect.gen(function* () {
    const { request, seen, tokenOf } = makeServer()
    const [first] = caches
    for (const key of persons) yield* first?.put(key, tokenOf(key, 0)) ?? Effect.void

    const isOver = yield* Ref.make(false)
    /** As a client does that renews one token after the other. */
    const renewOnAndOn = (cache: Cache): Effect.Effect<void> =>
      Effect.gen(function* () {
        const person = persons[yield* Random.nextIntBetween(0, persons.length - 1)]
        if (person !== undefined) yield* Effect.ignore(cache.get(request(person)))
        yield* Effect.sleep("15 millis")
        if (!(yield* Ref.get(isOver))) yield* renewOnAndOn(cache)
      })
    const renewed = (count: number) =>
      Effect.repeat(
        Effect.sync(() => seen.refreshes),
        { schedule: Schedule.spaced("100 millis"), until: (refreshes) => refreshes >= count }
      )
    const scene = Effect.gen(function* () {
      yield* renewed(renewals)
      yield* outage
      // What was under way ends.
      yield* Effect.sleep("1 second")
      yield* renewed(seen.refreshes + renewals)
      yield* Ref.set(isOver, true)
    })
    const workers = caches.flatMap((cache) => [cache, cache, cache])
    yield* Effect.all([scene, Effect.forEach(workers, renewOnAndOn, { concurrency: "unbounded" })], {
      concurrency: 2,
      discard: true
    })
    for (const [index, key] of persons.entries())
      yield* Effect.retry(caches[index % caches.length]?.get(request(key)) ?? Effect.void, {
        times: 60,
        schedule: Schedule.spaced("250 millis")
      })
    yield* expect(seen.sentTwice === 0, `lets a refresh token be sent twice (${seen.sentTwice} times)`)
    yield* Effect.forEach(persons, (key) => Effect.ignore(first?.invalidate(key) ?? Effect.void))
  }).pipe(
    Effect.mapError((error) =>
      error instanceof ContractViolation ? error : new ContractViolation({ problem: "has lost a grant" })
    ),
    // An outage fills the log.
    Effect.provideService(References.MinimumLogLevel, "None")
  )
