import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Tracer from "effect/Tracer"

/** Whether spans go anywhere: the default tracer drops them. */
export const isTraced = ({ context }: Fiber.Fiber<unknown, unknown>): boolean =>
  Context.getOrUndefined(context, Tracer.Tracer) !== undefined

/**
 * `Effect.withSpan` for what happens often. Without a tracer no span is made, because it costs more than much that is done
 * in it, and nobody would see it.
 */
export const inSpan =
  (name: string, attributes: Readonly<Record<string, unknown>> = {}) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.withFiber((fiber) => (isTraced(fiber) ? Effect.withSpan(effect, name, { attributes }) : effect))
