import { assert, describe, it } from "@effect/vitest"
import { OAuthEventListeners, OAuthEvents, TokenCache, type OAuthEvent } from "@secure-mcp/oauth-core"
import { OAuthMetrics } from "@secure-mcp/oauth-metrics"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/testing/TestClock"

const acquired: OAuthEvent = {
  _tag: "TokenAcquired",
  serverName: "remote",
  duration: Duration.millis(5),
  refresh: false
}
const missed: OAuthEvent = { _tag: "CacheMiss", serverName: "remote" }
const hit: OAuthEvent = { _tag: "CacheHit", serverName: "remote" }

const emptyCache = Layer.mock(TokenCache, { peek: () => undefined, list: Effect.succeed([]) })

/** The audit sink of somebody else: keeps what it receives. */
const makeAudit = () => {
  const received: Array<OAuthEvent["_tag"]> = []
  const listener = {
    name: "audit",
    receive: ({ _tag }: OAuthEvent) => Effect.sync(() => void received.push(_tag))
  }
  return { listener, received }
}

const publish = (...events: ReadonlyArray<OAuthEvent>) =>
  Effect.flatMap(OAuthEvents, (bus) => Effect.forEach(events, bus.publish, { discard: true }))

const countHits = (hits: number) => Effect.map(OAuthEvents, ({ countHit }) => countHit?.("remote", hits))

const counted = Effect.flatMap(OAuthMetrics, ({ snapshot }) => snapshot).pipe(Effect.provide(emptyCache))

/** The texts that an effect logs. */
const logOf = <A, E, R>(effect: Effect.Effect<A, E, R>) => {
  const texts: Array<string> = []
  const collect = Logger.make(({ message }) => void texts.push([message].flat().join(" ")))
  return Effect.as(effect.pipe(Effect.provide(Logger.layer([collect]))), texts)
}

describe("the listeners of events", () => {
  it.effect("metrics and an own audit sink hear every event, whichever is merged first", () => {
    const [first, second] = [makeAudit(), makeAudit()]
    return Effect.gen(function* () {
      yield* publish(missed, acquired)
      yield* countHits(2)
      assert.deepStrictEqual(first.received, ["CacheMiss", "TokenAcquired", "CacheHit", "CacheHit"])
      assert.deepStrictEqual(second.received, first.received)
      assert.deepInclude(yield* counted, {
        token_acquisitions_success: 1,
        token_cache_misses: 1,
        token_cache_hits: 2
      })
    }).pipe(
      Effect.provide(
        Layer.mergeAll(
          OAuthEventListeners.listen(first.listener),
          OAuthMetrics.layer,
          OAuthEventListeners.listen(second.listener)
        )
      )
    )
  })

  it.effect("a listener below the metrics hears the events, too", () => {
    const { listener, received } = makeAudit()
    return Effect.gen(function* () {
      yield* publish(acquired)
      assert.deepStrictEqual(received, ["TokenAcquired"])
      assert.strictEqual((yield* counted).token_acquisitions_success, 1)
    }).pipe(Effect.provide(OAuthMetrics.layer.pipe(Layer.provideMerge(OAuthEventListeners.listen(listener)))))
  })

  it.effect(
    "whoever receives the events by the port alone still does when the metrics are built on it",
    () => {
      const { listener, received } = makeAudit()
      return Effect.gen(function* () {
        yield* publish(acquired)
        yield* countHits(1)
        assert.deepStrictEqual(received, ["TokenAcquired", "CacheHit"])
        assert.strictEqual((yield* counted).token_cache_hits, 1)
      }).pipe(
        Effect.provide(
          OAuthMetrics.layer.pipe(Layer.provide(Layer.succeed(OAuthEvents, { publish: listener.receive })))
        )
      )
    }
  )

  it.effect("a listener that fails, or throws, takes nothing from the others, and is logged once", () => {
    const { listener, received } = makeAudit()
    const failing = OAuthEventListeners.listen({
      name: "failing",
      receive: () => Effect.fail("the disk is full")
    })
    const throwing = OAuthEventListeners.listen({
      name: "throwing",
      receive: () => {
        throw new Error("a bug")
      },
      countHit: () => {
        throw new Error("another bug")
      }
    })
    return Effect.gen(function* () {
      const log = yield* publish(acquired, missed).pipe(
        Effect.andThen(countHits(1)),
        Effect.provide(Layer.mergeAll(failing, throwing, OAuthEventListeners.listen(listener))),
        logOf
      )
      assert.deepStrictEqual(received, ["TokenAcquired", "CacheMiss", "CacheHit"])
      assert.deepStrictEqual(log, [
        'The event listener "failing" failed: the disk is full',
        'The event listener "throwing" failed: a bug'
      ])
    })
  })

  it.effect("nobody waits for a slow listener, which gets the events later and in order", () => {
    const fast = makeAudit()
    const slow: Array<OAuthEvent["_tag"]> = []
    return Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const waiting = OAuthEventListeners.listen({
        name: "slow",
        receive: ({ _tag }) =>
          Effect.andThen(
            Deferred.await(gate),
            Effect.sync(() => slow.push(_tag))
          )
      })
      yield* Effect.gen(function* () {
        yield* publish(missed, acquired, hit)
        assert.deepStrictEqual(fast.received, ["CacheMiss", "TokenAcquired", "CacheHit"])
        assert.deepStrictEqual(slow, [])
        yield* Deferred.succeed(gate, undefined)
      }).pipe(Effect.provide(Layer.mergeAll(waiting, OAuthEventListeners.listen(fast.listener))))
      assert.deepStrictEqual(slow, fast.received, "what waits is given before the layer is gone")
    })
  })

  it.effect("events that a listener does not keep up with are dropped, counted and logged", () => {
    const fast = makeAudit()
    const slow: Array<OAuthEvent["_tag"]> = []
    return Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const waiting = OAuthEventListeners.listen({
        name: "slow",
        receive: ({ _tag }) =>
          Effect.andThen(
            Deferred.await(gate),
            Effect.sync(() => slow.push(_tag))
          )
      })
      const log = yield* publish(...Array.from({ length: 1_500 }, () => missed)).pipe(
        Effect.andThen(Deferred.succeed(gate, undefined)),
        Effect.provide(Layer.mergeAll(waiting, OAuthEventListeners.listen(fast.listener))),
        logOf
      )
      assert.lengthOf(fast.received, 1_500)
      assert.lengthOf(slow, 1_001, "one in its hands and a thousand that wait")
      assert.deepStrictEqual(log, ['The event listener "slow" was too slow: 499 events were dropped'])
    })
  })

  it.effect("a listener that never ends is given up five seconds after the end", () =>
    Effect.gen(function* () {
      const stuck = OAuthEventListeners.listen({ name: "stuck", receive: () => Effect.never })
      const closing = yield* Effect.forkChild(publish(acquired).pipe(Effect.provide(stuck)))
      yield* TestClock.adjust("4 seconds")
      assert.isUndefined(closing.pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.isDefined(closing.pollUnsafe())
    })
  )
})
