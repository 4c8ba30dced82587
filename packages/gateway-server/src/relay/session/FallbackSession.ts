import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import * as Scope from "effect/Scope"
import type { UpstreamFailed } from "../../fetch/Fetch.ts"
import type { ServerSession } from "./ServerSession.ts"

/** The statuses with which a server of HTTP+SSE answers the POST of `initialize` (MCP 2025-11-25, "Backwards Compatibility"). */
const notStreamable: ReadonlySet<number | undefined> = new Set([400, 404, 405])

/**
 * Makes a session over Streamable HTTP, or over HTTP+SSE with a server that turns out to speak nothing else.
 *
 * @param options.isOlder whether the server opens a stream of HTTP+SSE
 */
export const makeFallbackSession = Effect.fnUntraced(function* (options: {
  readonly http: Effect.Effect<ServerSession, never, Scope.Scope>
  readonly sse: Effect.Effect<ServerSession, never, Scope.Scope>
  readonly isOlder: Effect.Effect<boolean>
}): Effect.fn.Return<ServerSession, never, Scope.Scope> {
  const scope = yield* Effect.scope
  const http = yield* options.http
  const session = yield* Ref.make(http)

  const fallBack = Effect.fnUntraced(function* (failure: UpstreamFailed) {
    if (!notStreamable.has(failure.status) || !(yield* options.isOlder)) return yield* failure
    yield* Effect.logWarning(
      'The MCP server speaks HTTP+SSE, the transport of MCP 2024-11-05: set `"transport": "sse"` in its `config`'
    )
    const sse = yield* Scope.provide(options.sse, scope)
    yield* Ref.set(session, sse)
    return sse
  })

  return {
    post: (message) =>
      Effect.flatMap(Ref.get(session), (known) =>
        known === http && message.json["method"] === "initialize"
          ? Effect.catch(known.post(message), (failure) =>
              Effect.flatMap(fallBack(failure), (sse) => sse.post(message))
            )
          : known.post(message)
      ),
    postNow: (request, id, onEnd) => Ref.getUnsafe(session).postNow?.(request, id, onEnd),
    listen: Effect.flatMap(Ref.get(session), ({ listen }) => listen),
    end: Effect.flatMap(Ref.get(session), ({ end }) => end)
  }
})
