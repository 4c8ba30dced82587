import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { TokenCache } from "@secure-mcp/oauth-core"
import { SingleFlightTokenCache } from "@secure-mcp/token-cache"
import { firstRenewal, makeServer, requestOf, text } from "./fixtures.ts"

const hour = 3_600_000

/** A clock of which the two hands move separately; nobody is ever woken. */
const makeClock = () => {
  const hands = { wall: 1_700_000_000_000, monotonic: 5_000 }
  const wallNanos = () => BigInt(hands.wall) * 1_000_000n
  const monotonicNanos = () => BigInt(hands.monotonic) * 1_000_000n
  const clock: Clock.Clock = {
    currentTimeMillisUnsafe: () => hands.wall,
    currentTimeMillis: Effect.sync(() => hands.wall),
    currentTimeNanosUnsafe: wallNanos,
    currentTimeNanos: Effect.sync(wallNanos),
    monotonicTimeNanosUnsafe: monotonicNanos,
    monotonicTimeNanos: Effect.sync(monotonicNanos),
    sleep: () => Effect.never
  }
  return { hands, clock }
}

const withClock = (
  test: (hands: ReturnType<typeof makeClock>["hands"]) => Effect.Effect<void, unknown, TokenCache>
) => {
  const { clock, hands } = makeClock()
  return test(hands).pipe(
    Effect.provide(SingleFlightTokenCache.layerMemory),
    Effect.provideService(Clock.Clock, clock)
  )
}

const got = Effect.fnUntraced(function* (...args: Parameters<typeof requestOf>) {
  return text((yield* (yield* TokenCache).get(requestOf(...args))).token)
})

const listed = Effect.flatMap(TokenCache, (cache) => Effect.map(cache.list, (entries) => entries.length))

describe("a wall clock that jumps", () => {
  it.effect("a wall clock that jumps back does not make an expired token valid again", () =>
    withClock(
      Effect.fnUntraced(function* (hands) {
        const server = makeServer({ expiresIn: 100 })
        yield* got(server)
        hands.monotonic += 100_000
        hands.wall -= hour
        assert.strictEqual(yield* listed, 0)
        assert.strictEqual(yield* got(server), "2")
      })
    )
  )

  it.effect("a wall clock that jumps forward does not expire a valid token", () =>
    withClock(
      Effect.fnUntraced(function* (hands) {
        const server = makeServer({ expiresIn: 100 })
        yield* got(server)
        hands.monotonic += firstRenewal("1") - 1
        hands.wall += hour
        assert.strictEqual(yield* listed, 1)
        assert.strictEqual(yield* got(server), "1")
        assert.strictEqual(server.count, 1)
      })
    )
  )

  it.effect("a wall clock that jumps back during a token request does not extend the token's life", () =>
    withClock(
      Effect.fnUntraced(function* (hands) {
        const server = makeServer({ expiresIn: 100 })
        const jumping = {
          acquire: (previous: Parameters<typeof server.acquire>[0]) =>
            Effect.tap(server.acquire(previous), () => Effect.sync(() => (hands.wall -= hour)))
        }
        yield* got(jumping)
        hands.monotonic += 99_999
        assert.strictEqual(yield* listed, 1)
        hands.monotonic += 1
        assert.strictEqual(yield* listed, 0)
        assert.strictEqual(yield* got(jumping), "2")
      })
    )
  )
})
