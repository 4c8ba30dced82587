import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Answer } from "./Answer.ts"
import type { RecordedRequest } from "./RecordedRequest.ts"
import { StubAuthorizationServer, type StubAuthorizationServerOptions } from "./StubAuthorizationServer.ts"

/** A `StubAuthorizationServer` for tests that do not use Effect. Its functions work detached. */
export interface StartedAuthorizationServer extends AsyncDisposable {
  /** Without a trailing slash. */
  readonly url: string
  /** The URL of a path. */
  readonly endpoint: (path: string) => string
  /** Answers the next requests to a path, one each. */
  readonly enqueue: (path: string, ...answers: ReadonlyArray<Answer>) => void
  /** Answers every other request to a path. */
  readonly always: (path: string, answer: Answer) => void
  /** What was received so far, at a path or everywhere. */
  readonly requests: (path?: string) => ReadonlyArray<RecordedRequest>
  /** The values that the forms received at a path had for a parameter, in order; undefined for a form without it. */
  readonly sent: (path: string, parameter: string) => ReadonlyArray<string | undefined>
  /** Waits until so many requests have been received, at a path or everywhere. */
  readonly received: (count: number, path?: string) => Promise<ReadonlyArray<RecordedRequest>>
  /** Ends the server and its connections. */
  readonly close: () => Promise<void>
}

/**
 * Starts a stub authorization server on a loopback port, with Promises.
 *
 * @param answers what is always answered at each path; paths that are not named answer 404
 * @example
 * ```ts
 * import { Answer, startAuthorizationServer } from "@secure-mcp/testing"
 *
 * const server = await startAuthorizationServer({ "/token": Answer.token({ expires_in: 60 }) })
 * server.enqueue("/token", Answer.status(503, { retryAfter: 1 }))
 * // ... what is tested gets its tokens from server.endpoint("/token") ...
 * await server.close()
 * ```
 */
export const startAuthorizationServer = async (
  answers: Readonly<Record<string, Answer | Effect.Effect<Answer>>> = {},
  options: StubAuthorizationServerOptions = {}
): Promise<StartedAuthorizationServer> => {
  const scope = Scope.makeUnsafe()
  const server = await Effect.runPromise(
    Effect.gen(function* () {
      const started = yield* StubAuthorizationServer.make(options)
      for (const [path, answer] of Object.entries(answers))
        yield* started.always(path, Effect.isEffect(answer) ? yield* answer : answer)
      return started
    }).pipe(Scope.provide(scope))
  )
  const requests = (path?: string) =>
    Effect.runSync(path === undefined ? server.requests : server.requestsTo(path))
  const close = () => Effect.runPromise(Scope.close(scope, Exit.void))
  return {
    url: server.url,
    endpoint: server.endpoint,
    enqueue: (path, ...queued) => Effect.runSync(server.enqueue(path, ...queued)),
    always: (path, answer) => Effect.runSync(server.always(path, answer)),
    requests,
    sent: (path, parameter) => requests(path).map(({ form }) => form.get(parameter) ?? undefined),
    received: (count, path) => Effect.runPromise(server.received(count, path)),
    close,
    [Symbol.asyncDispose]: close
  }
}
