import { OAuthService } from "@secure-mcp/oauth-core"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import type { ClientEvents } from "./ClientEvents.ts"
import { clientErrorOf, type ClientFailure } from "./ClientFailure.ts"
import { makeEffectLogger } from "./ClientLogger.ts"
import { clientServices, type ClientServices } from "./ClientServices.ts"
import { OAuthClientError } from "./OAuthClientError.ts"
import type { ClientSettings } from "./OAuthClientOptions.ts"
import { backgroundClock, makeCalls } from "./ProcessLife.ts"

/** Runs effects of the client, and answers with Promises. */
export interface ClientRuntime {
  /** The service, once the first call has built it, and until the client is closed. */
  readonly oauth: () => (typeof OAuthService)["Service"] | undefined
  /** Runs an effect. Rejects with an `OAuthClientError`: also if the signal aborts it, or the client is closed. */
  readonly run: <A>(
    effect: Effect.Effect<A, ClientFailure, ClientServices>,
    signal?: AbortSignal
  ) => Promise<A>
  /** Ends what is under way and releases everything. Further calls wait for the same end. */
  readonly close: () => Promise<void>
}

/** Makes a runtime, which does nothing before the first call. */
export const makeClientRuntime = (settings: ClientSettings, events: ClientEvents): ClientRuntime => {
  const scope = Scope.makeUnsafe()
  const closing = new AbortController()
  const calls = makeCalls()
  const base = baseContext(settings)
  let oauth: (typeof OAuthService)["Service"] | undefined
  let built: Context.Context<ClientServices> | undefined
  let building: Promise<Exit.Exit<Context.Context<ClientServices>, ClientFailure>> | undefined
  let closed: Promise<void> | undefined

  const build = Effect.gen(function* () {
    const attempt = yield* Scope.fork(scope)
    return yield* Layer.buildWithScope(clientServices(settings, events), attempt).pipe(
      Effect.onExit((exit) => (Exit.isFailure(exit) ? Scope.close(attempt, exit) : Effect.void))
    )
  })

  /** One at a time. One that fails is tried again by the next call: a store may have been away. */
  const start = () => {
    building ??= Effect.runPromiseExitWith(base)(build).then((exit) => {
      if (Exit.isFailure(exit)) {
        building = undefined
        return exit
      }
      built = Context.merge(base, exit.value)
      oauth = closed === undefined ? Context.get(exit.value, OAuthService) : undefined
      return Exit.succeed(built)
    })
    return building
  }

  const services = Effect.suspend(() =>
    built === undefined ? Effect.flatten(Effect.promise(start)) : Effect.succeed(built)
  )

  const run: ClientRuntime["run"] = async (effect, signal) => {
    if (closed !== undefined) throw hasClosed()
    throwIfAborted(signal)
    calls.begin()
    try {
      const exit = await Effect.runPromiseExitWith(base)(
        Effect.flatMap(services, (context) => Effect.provideContext(effect, context)),
        { signal: signal === undefined ? closing.signal : AbortSignal.any([signal, closing.signal]) }
      )
      if (Exit.isSuccess(exit)) return exit.value
      throwIfAborted(signal)
      throw closing.signal.aborted ? hasClosed() : clientErrorOf(exit.cause)
    } finally {
      calls.end()
    }
  }

  return {
    oauth: () => oauth,
    run,
    close: () => {
      closed ??= (async () => {
        calls.begin()
        built = undefined
        oauth = undefined
        closing.abort()
        await Effect.runPromiseWith(base)(Scope.close(scope, Exit.void))
        calls.end()
      })()
      return closed
    }
  }
}

/** Loggers only if one was given; timers that do not keep the process alive. */
const baseContext = ({ logger }: ClientSettings): Context.Context<never> =>
  Context.make(
    References.CurrentLoggers,
    new Set(logger === undefined ? [] : [makeEffectLogger(logger)])
  ).pipe(
    Context.add(References.MinimumLogLevel, logger?.debug === undefined ? "Info" : "Debug"),
    Context.add(Clock.Clock, backgroundClock(Context.get(Context.empty(), Clock.Clock)))
  )

const hasClosed = () => new OAuthClientError("The OAuth client is closed", { reason: "Closed" })

const throwIfAborted = (signal: AbortSignal | undefined): void => {
  if (signal?.aborted === true)
    throw new OAuthClientError("The signal aborted the call", { reason: "Aborted", cause: signal.reason })
}
