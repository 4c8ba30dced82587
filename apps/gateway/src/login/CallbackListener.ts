import type { OAuthError } from "@secure-mcp/oauth-core"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Http from "node:http"
import { callbackPage } from "./CallbackPage.ts"

/** The redirection endpoint (RFC 6749 §3.1.2): authorization servers send the browser here after a login. */
export interface CallbackListener {
  /** Answers a path from now on. Returns its URL, with the port that was bound. */
  readonly redirectUri: (path: string) => Effect.Effect<string>
}

/** The callback listener cannot listen on its address. */
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
      `Cannot listen for the end of a login on ${hostInUrl(this.host)}:${this.port} (${this.problem}). ` +
      "Free the port, or choose another with `redirect_uri` or `gateway.callback_port`"
    )
  }
}

/** Completes a login with the parameters of the redirect; returns the server that the person logged in to. */
export type Complete = (
  parameters: URLSearchParams
) => Effect.Effect<{ readonly serverName: string }, OAuthError>

/**
 * Listens for redirects after a login, until the scope closes. The port is bound when this completes, so no login can
 * end before. Only GET requests to the paths of `redirectUri` count; others, such as the HEAD of a link preview, are
 * answered and change nothing. The page says "logged in" only after `complete` has exchanged the code. Closing waits
 * until pages are written, but not for idle connections.
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
  const onRequest: Http.RequestListener = (request, response) => {
    // Yields first: the set must know the fiber before its end can close the scope.
    run(Effect.andThen(Effect.yieldNow, answer(request, response, paths, options.complete)))
  }
  const bind = (host: string, port: number) =>
    Effect.acquireRelease(listen({ host, port, onRequest }), (server) => close(server, answers))
  const servers =
    options.host === "localhost"
      ? yield* bindLoopback(bind, options.port)
      : ([yield* bind(options.host, options.port)] as const)
  const origin = `http://${hostInUrl(options.host)}:${boundPort(servers[0])}`
  return {
    redirectUri: (path) =>
      Effect.sync(() => {
        paths.add(path)
        return origin + path
      })
  } satisfies CallbackListener
})

/**
 * Listens on both loopback families: a browser that goes to `localhost` may take either. A machine without IPv6 has one;
 * a port that another program has there is an error, because that program would get the code.
 */
const bindLoopback = Effect.fnUntraced(function* <R>(
  bind: (host: string, port: number) => Effect.Effect<Http.Server, CallbackListenerError, R>,
  port: number
) {
  const first = yield* bind("127.0.0.1", port)
  const second = yield* bind("::1", boundPort(first)).pipe(
    Effect.catchIf(hasNoSuchAddress, () => Effect.undefined)
  )
  return second === undefined ? ([first] as const) : ([first, second] as const)
})

const answer = (
  request: Http.IncomingMessage,
  response: Http.ServerResponse,
  paths: ReadonlySet<string>,
  complete: Complete
): Effect.Effect<void> => {
  const url = URL.parse(request.url ?? "", "http://callback.invalid")
  if (url === null || !paths.has(url.pathname)) return write(response, 404, callbackPage("Nothing here"))
  if (request.method === "HEAD") return write(response, 200, "")
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

/** The page's URL contains the code: it must not be cached, framed or sent as a referrer. */
const pageHeaders = {
  "content-type": "text/html; charset=utf-8",
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
  connection: "close"
}

/** Completes when the page is written, or the connection closed. */
const write = (response: Http.ServerResponse, status: number, page: string): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const done = () => resume(Effect.void)
    response.once("finish", done).once("close", done)
    response.writeHead(status, pageHeaders).end(page)
  })

interface ListenOptions {
  readonly host: string
  readonly port: number
  readonly onRequest: Http.RequestListener
}

const listen = ({ host, onRequest, port }: ListenOptions) =>
  Effect.callback<Http.Server, CallbackListenerError>((resume) => {
    const server = Http.createServer(onRequest)
    server.once("error", (error) => {
      const problem = "code" in error ? String(error.code) : error.name
      resume(Effect.fail(new CallbackListenerError({ host, port, problem })))
    })
    server.listen(port, host, () => resume(Effect.succeed(server)))
  })

/** A machine without IPv6. */
const hasNoSuchAddress = ({ problem }: CallbackListenerError): boolean =>
  problem === "EADDRNOTAVAIL" || problem === "EAFNOSUPPORT"

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
