import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { TokenCache } from "@secure-mcp/oauth-core"
import { renewalTime, SingleFlightTokenCache, TokenCapacity } from "@secure-mcp/token-cache"
import { toMemoryToken } from "../src/memory/MemoryToken.ts"
import { renewalDue } from "../src/memory/RenewalTime.ts"
import { keyOf, tokenOf } from "./fixtures.ts"

const hour = 3600
const buffer = Duration.seconds(300)
const persons = 3000

/** Access tokens as servers give them: opaque texts, and JWTs with one header and signatures that differ. */
const namings: Readonly<Record<string, (index: number) => string>> = {
  "counted names": (index) => `token-${index}`,
  "one prefix and one end": (index) => `eyJhbGciOiJFUzI1NiJ9.${index.toString(36).padStart(8, "0")}.AA==`
}

/** Seconds after the epoch, at which a token was obtained. */
const renewalOf = (accessToken: string, lifetime: number) =>
  renewalDue(
    toMemoryToken(tokenOf(accessToken, { expiresAt: lifetime * 1000 }), { wall: 0, monotonic: 0 }),
    buffer
  ) / 1000

describe("the spread of renewals", () => {
  it.effect.each(Object.entries(namings))(
    "tokens with %s that were obtained in one second are renewed over a tenth of their lifetime",
    ([, nameOf]) =>
      Effect.gen(function* () {
        const cache = yield* TokenCache
        let acquired = 0
        const perMinute: Array<number> = []
        const askAll = Effect.forEach(
          Array.from({ length: persons }, (_, index) => index),
          (index) =>
            cache.get({
              key: keyOf(`server-${index}`),
              expiryBuffer: buffer,
              acquire: (previous) =>
                Effect.sync(() => {
                  acquired += 1
                  return previous === undefined
                    ? tokenOf(nameOf(index), { expiresAt: hour * 1000 })
                    : tokenOf(`next-${index}`, { issuedAt: hour * 1000, expiresAt: 2 * hour * 1000 })
                })
            }),
          { discard: true }
        )
        yield* askAll
        assert.strictEqual(acquired, persons)
        // Every minute everybody asks once more, until the expiry buffer begins.
        for (let minute = 46; minute <= 55; minute += 1) {
          yield* TestClock.setTime(minute * 60_000)
          const before = acquired
          yield* askAll
          yield* TestClock.adjust(0)
          perMinute.push(acquired - before)
        }
        assert.strictEqual(
          acquired,
          2 * persons,
          "each is renewed once, and none later than without a spread"
        )
        assert.deepStrictEqual(
          perMinute.slice(0, 3),
          [0, 0, 0],
          "none is renewed earlier than a tenth of its lifetime before the buffer"
        )
        // Six minutes: a sixth is 500.
        const [least, most] = [Math.min(...perMinute.slice(4)), Math.max(...perMinute)]
        assert.isAbove(least, 400)
        assert.isBelow(most, 600)
      }).pipe(
        Effect.provide(SingleFlightTokenCache.layerMemory),
        Effect.provideService(TokenCapacity, persons)
      )
  )

  it("a token is never renewed before half of its lifetime, nor later than its expiry buffer", () => {
    for (const lifetime of [1, 60, 599, 600, 660, 3600, 86_400])
      for (let index = 0; index < 200; index += 1) {
        const renewal = renewalOf(`token-${index}`, lifetime)
        assert.isAtLeast(renewal, lifetime / 2)
        assert.isAtMost(renewal, Math.max(lifetime / 2, lifetime - 300))
      }
  })

  it("all processes that share a token renew it at the same time", () => {
    assert.strictEqual(renewalOf("shared", hour), renewalOf("shared", hour))
    assert.notStrictEqual(renewalOf("shared", hour), renewalOf("other", hour))
  })

  it("what is said of the next renewal is when it comes at the latest", () => {
    const token = tokenOf("token", { expiresAt: hour * 1000 })
    assert.strictEqual(renewalTime(token, buffer), (hour - 300) * 1000)
    assert.isUndefined(renewalTime(tokenOf("1"), buffer), "without expiry it is not renewed ahead")
  })
})
