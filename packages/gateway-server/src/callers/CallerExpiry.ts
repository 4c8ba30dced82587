import type { ServerResponse } from "node:http"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import type { GatewaySettings } from "../config/GatewaySettings.ts"
import type { Caller } from "./Person.ts"

/** Ends answers that are still being written when the token of their caller ends: event streams, which may take for ever. */
export class CallerExpiry extends Context.Service<
  CallerExpiry,
  {
    /** Call it before anything is sent to the server. */
    readonly watch: (caller: Caller, response: ServerResponse) => void
  }
>()("@secure-mcp/gateway/CallerExpiry") {
  /** Callers with API keys have no end. */
  static readonly layer = ({ callers }: Pick<GatewaySettings, "callers">) =>
    callers === undefined ? Layer.succeed(CallerExpiry, { watch: () => undefined }) : watching
}

const watching = Layer.effect(
  CallerExpiry,
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const watched = new Map<ServerResponse, number>()

    const endExpired = Effect.sync(() => {
      const now = clock.currentTimeMillisUnsafe()
      for (const [response, expiresAt] of watched) {
        if (expiresAt > now) continue
        watched.delete(response)
        // Its client begins a new request, and is told that it needs a new token.
        response.destroy()
      }
    })
    yield* Effect.forkScoped(Effect.forever(Effect.delay(endExpired, "1 second")))
    return {
      watch: ({ expiresAt }, response) => {
        // A token that is accepted after its end, because clocks differ, begins nothing that lasts.
        if (expiresAt === undefined) return
        const now = clock.currentTimeMillisUnsafe()
        watched.set(response, expiresAt > now ? expiresAt : now + leeway)
        response.once("close", () => watched.delete(response))
      }
    }
  })
)

/** Milliseconds that an answer to a request with a token at its very end may take. */
const leeway = 10_000
