import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Record from "effect/Record"
import * as References from "effect/References"

/** The id of the request that is being served, by which all that is logged and asked for it is found. Default: none. */
export const CorrelationId = Context.Reference<string | undefined>("@secure-mcp/oauth-core/CorrelationId", {
  defaultValue: () => undefined
})

/**
 * Serves one request under a correlation id of its own: its log entries have it as `correlation_id`, and so have the
 * tokens that are acquired for it.
 *
 * @example
 * ```ts
 * import { withCorrelationId } from "@secure-mcp/oauth-core"
 * import * as Effect from "effect/Effect"
 *
 * export const served = withCorrelationId(Effect.logInfo("Serving a request"))
 * ```
 */
export const withCorrelationId = <A, E, R>(serve: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const id = globalThis.crypto.randomUUID()
    return serve.pipe(Effect.provideService(CorrelationId, id), Effect.annotateLogs({ correlation_id: id }))
  })

/** Starts what serves more than the request that it was started for: a child process, a connection. */
export const withoutCorrelationId = <A, E, R>(start: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  start.pipe(
    Effect.provideService(CorrelationId, undefined),
    Effect.updateService(References.CurrentLogAnnotations, (annotations) =>
      Record.remove(annotations, "correlation_id")
    )
  )
