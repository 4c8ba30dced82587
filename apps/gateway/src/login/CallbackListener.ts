import type { OAuthError } from "@secure-mcp/oauth-core"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Http from "node:http"
import { callbackPage } from "./CallbackPage.ts"

/** Where authorization servers send people back to (RFC 6749 §3.1.2). */
export interface CallbackListener {
  /** Answers a path from now on, and gives its URL, with the port that was actually bound. */
  readonly redirectUri: (path: string) => Effect.Effect<string>
}

/** Nothing can listen there. */
export class CallbackListenerError extends Schema.TaggedError<CallbackListenerError>()(
  "CallbackListenerError",
  {
    host: Schema.String,
    port: Schema.Int,
    problem: Schema.String
  }
) {
  override get message(): string {
    return (
      `Cannot listen for the end of a login on ${this.host}:${this.port} (${this.problem}). ` +
      "Free the port, or choose another with `redirect_uri` or `gateway.callback_port`"
    )
  }
}

/** What became of the parameters that a browser brought back. */
export type Complete = (
  parameters: URLSearchParams
) => Effect.Effect<{ readonly serverName: string }, OAuthError>

/**
 * Listens for people coming back from a login, until the scope closes. Bound before it is returned, so that no
 * browser can be sent out before there is someone to come back to. Answers GET of the paths it gave out only; a
 * favicon or a stray request changes nothing, and an idle connection keeps nobody waiting. The page says "logged
 * in" only after `complete` has exchanged the code, and closing waits until it is written.
 *
 * @param options.port 0 picks a free one
 */
export const makeCallbackListener = Effect.fnUntraced(function* (options: {
  readonly host: string
  readonly port: number
  readonly complete: Complete
}) {
  const paths = new Set<string>()
  const answers = yield* FiberSet.make<void>()
  const run = yield* FiberSet.runtime(answers)()
  const server = yield* Effect.acquireRelease(listen(options), (server) => close(server, answers))
  server.on("request", (request, response) => {
    // Yields first: the set must know the fiber before its end can close the scope.
    run(Effect.andThen(Effect.yieldNow, answer(request, response, paths, options.complete)))
  })
  const origin = `http://${hostInUrl(options.host)}:${boundPort(server)}`
  return {
    redirectUri: (path) =>
      Effect.sync(() => {
        paths.add(path)
        return origin + path
      })
  } satisfies CallbackListener
})

const answer = (
  request: Http.IncomingMessage,
  response: Http.ServerResponse,
  paths: ReadonlySet<string>,
  complete: Complete
): Effect.Effect<void> => {
  const url = URL.parse(request.url ?? "", "http://callback.invalid")
  if (url === null || !paths.has(url.pathname)) return write(response, 404, callbackPage("Nothing here"))
  if (request.method !== "GET") return write(response, 405, callbackPage("This page is for a browser"))
  return complete(url.searchParams).pipe(
    Effect.matchCauseEffect({
      onSuccess: ({ serverName }) =>
        write(response, 200, callbackPage("Logged in", `The gateway may now use ${serverName} for you.`)),
      onFailure: (cause) => answerFailure(response, cause)
    })
  )
}

const answerFailure = (
  response: Http.ServerResponse,
  cause: Cause.Cause<OAuthError>
): Effect.Effect<void> => {
  const error = Cause.findErrorOption(cause)
  return Option.isSome(error)
    ? write(response, 400, callbackPage("Not logged in", `${error.value.reason.message}.`))
    : Effect.logError("The end of a login failed by a bug", cause).pipe(
        Effect.andThen(write(response, 500, callbackPage("Not logged in", "The gateway failed by a bug.")))
      )
}

/** The page's address holds the code: no cache, no frame, and no other site may learn of it. */
const pageHeaders = {
  "content-type": "text/html; charset=utf-8",
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
  connection: "close"
}

/** Ends when the page has been handed to the system, or when nobody wants it any more. */
const write = (response: Http.ServerResponse, status: number, page: string): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const done = () => resume(Effect.void)
    response.once("finish", done).once("close", done)
    response.writeHead(status, pageHeaders).end(page)
  })

const listen = ({ host, port }: { readonly host: string; readonly port: number }) =>
  Effect.callback<Http.Server, CallbackListenerError>((resume) => {
    const server = Http.createServer()
    server.once("error", (error) => {
      const problem = "code" in error ? String(error.code) : error.name
      resume(Effect.fail(new CallbackListenerError({ host, port, problem })))
    })
    server.listen(port, host, () => resume(Effect.succeed(server)))
  })

/** Waits for pages that are being written, and not for connections that browsers only keep open. */
const close = Effect.fnUntraced(function* (server: Http.Server, answers: FiberSet.FiberSet<void>) {
  const closed = yield* Effect.forkChild(
    Effect.callback<void>((resume) => {
      server.close(() => resume(Effect.void))
    }),
    { startImmediately: true }
  )
  yield* FiberSet.awaitEmpty(answers)
  server.closeAllConnections()
  yield* Fiber.join(closed)
})

const boundPort = (server: Http.Server): number => {
  const address = server.address()
  return typeof address === "object" && address !== null ? address.port : 0
}

const hostInUrl = (host: string): string => (host.includes(":") ? `[${host}]` : host)
