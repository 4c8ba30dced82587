import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { type EventDelivery, makeEventDelivery, type OAuthEventListener } from "./EventDelivery.ts"
import { OAuthEvents } from "./OAuthEvents.ts"

/**
 * Gives each event to every listener. A listener is added by `listen`, and hears what is published to the `OAuthEvents` of
 * the same build, wherever in it the layer stands. `OAuthMetrics` of `@secure-mcp/oauth-metrics` is one.
 *
 * @example
 * ```ts
 * import { OAuthEventListeners } from "@secure-mcp/oauth-core"
 * import { OAuthMetrics } from "@secure-mcp/oauth-metrics"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import { appendFile } from "node:fs/promises"
 *
 * const Audit = OAuthEventListeners.listen({
 *   name: "audit",
 *   receive: (event) => Effect.tryPromise(() => appendFile("audit.jsonl", `${JSON.stringify(event)}\n`))
 * })
 *
 * // For `Layer.provide` or `Layer.provideMerge` to whatever publishes events.
 * export const Events = Layer.mergeAll(OAuthMetrics.layer, Audit)
 * ```
 */
export class OAuthEventListeners extends Context.Service<
  OAuthEventListeners,
  {
    /** Adds a listener until the scope closes. Then up to five seconds are given to what waits for it. */
    readonly add: (listener: OAuthEventListener) => Effect.Effect<void, never, Scope.Scope>
  }
>()("@secure-mcp/oauth-core/OAuthEventListeners") {
  /** Without a listener. Also provides the `OAuthEvents` that they hear; one that is there already hears them, too. */
  static readonly layer: Layer.Layer<OAuthEventListeners> = Layer.effectContext(Effect.suspend(() => make))

  /**
   * A listener as a layer, with `OAuthEventListeners.layer`: merge it with others, and provide them to whatever publishes
   * events. A listener that needs something itself is an effect.
   */
  static readonly listen = <E = never, R = never>(
    listener: OAuthEventListener | Effect.Effect<OAuthEventListener, E, R>
  ): Layer.Layer<OAuthEventListeners, E, Exclude<R, Scope.Scope>> =>
    Layer.effectDiscard(
      Effect.gen(function* () {
        const { add } = yield* OAuthEventListeners
        yield* add(Effect.isEffect(listener) ? yield* listener : listener)
      })
    ).pipe(Layer.provideMerge(OAuthEventListeners.layer))
}

const make = Effect.gen(function* () {
  const earlier = Context.getOrUndefined(yield* Effect.context<never>(), OAuthEvents)
  const deliveries = new Set<EventDelivery>()

  const add = Effect.fnUntraced(function* (listener: OAuthEventListener) {
    const delivery = yield* makeEventDelivery(listener)
    yield* Effect.acquireRelease(
      Effect.sync(() => deliveries.add(delivery)),
      () => Effect.sync(() => deliveries.delete(delivery))
    )
  })

  if (earlier !== undefined) {
    yield* add({ name: "OAuthEvents", receive: earlier.publish, countHit: earlier.countHit })
  }
  return Context.make(OAuthEventListeners, { add }).pipe(
    Context.add(OAuthEvents, {
      publish: (event) =>
        Effect.sync(() => {
          for (const { deliver } of deliveries) deliver(event)
        }),
      countHit: (serverName, hits = 1) => {
        for (const { countHit } of deliveries) countHit(serverName, hits)
      }
    })
  )
})
