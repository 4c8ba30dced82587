import { type OAuthError, withCorrelationId } from "@secure-mcp/oauth-core"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import * as Schema from "effect/Schema"
import * as Http from "node:http"
import { answerAll } from "../listener/AnswerAll.ts"
import { listen } from "../listener/Listening.ts"
import { type BrowserPage, pageHeaders, sentence, textPage } from "./BrowserPage.ts"
import { type BrowserCookies, readCookies } from "./LoginCookie.ts"
import { type CallbackRefused, loginPath } from "./LoginLinks.ts"
import type { LoginPage } from "./LoginPage.ts"

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

/**
 * Completes a login with the parameters of the redirect; returns the server that the person logged in to, or the address at
 * which the login is to be completed.
 *
 * @param cookies of the browser
 */
export type Complete = (
  parameters: URLSearchParams,
  cookies: BrowserCookies
) => Effect.Effect<
  { readonly serverName: string } | { readonly location: string },
  OAuthError | CallbackRefused
>

/** What browsers come for. */
interface Destinations {
  readonly complete: Complete
  /** Answers at `/login/ID`. Without it, no link leads here. */
  readonly loginPage?: LoginPage | undefined
}

/**
 * Listens for redirects after a login, and for browsers that open its link, until the scope closes. The port is bound
 * when this completes, so no login can end before. Only GET requests to the paths of `redirectUri` count; others, such as
 * the HEAD of a link preview, are answered and change nothing. The page says "logged in" only after `complete` has
 * exchanged the code. Closing waits until pages are written, but not for idle connections. Port 0 picks a free one.
 */
export const makeCallbackListener = Effect.fnUntraced(function* (
  options: { readonly host: string; readonly port: number } & Destinations
) {
  const paths = new Set<string>()
  const answers = yield* FiberSet.make<void>()
  const run = yield* FiberSet.runtime(answers)()
  const onRequest: Http.RequestListener = (request, response) => {
    // Yields first: the set must know the fiber before its end can close the scope.
    const answered = Effect.flatMap(pageFor(request, paths, options), (page) => write(response, page))
    run(Effect.andThen(Effect.yieldNow, withCorrelationId(answered)))
  }
  const bind = (host: string, port: number) =>
    Effect.acquireRelease(listenOn({ host, port, onRequest }), (server) => close(server, answers))
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

const pageFor = (
  request: Http.IncomingMessage,
  paths: ReadonlySet<string>,
  { complete, loginPage }: Destinations
): Effect.Effect<BrowserPage> => {
  const { headers, method = "", url: target = "" } = request
  const url = URL.parse(target, "http://callback.invalid")
  const cookies = readCookies(headers.cookie)
  if (url !== null && paths.has(url.pathname)) {
    return method === "GET" ? ending(complete(url.searchParams, cookies)) : otherMethod(method, "GET")
  }
  if (url !== null && loginPage !== undefined && url.pathname.startsWith(loginPath)) {
    if (method !== "GET" && method !== "POST") return otherMethod(method, "GET, POST")
    const id = url.pathname.slice(loginPath.length)
    const fetchSite = [headers["sec-fetch-site"]].flat()[0]
    return loginPage({ id, method, cookies, fetchSite, parameters: url.searchParams })
  }
  return Effect.succeed(textPage(404, "Nothing here"))
}

/** HEAD comes from previews: it gets an answer, and no cookie. */
const otherMethod = (method: string, allow: string): Effect.Effect<BrowserPage> =>
  Effect.succeed(
    method === "HEAD"
      ? { status: 200, html: "" }
      : { ...textPage(405, "This page is for a browser"), headers: { allow } }
  )

/**
 * The page that a login ends with.
 *
 * @param page makes a page of a status, a headline and a text
 */
export const ending = (
  completion: ReturnType<Complete>,
  page: typeof textPage = textPage
): Effect.Effect<BrowserPage> =>
  completion.pipe(
    Effect.map((end) =>
      "location" in end
        ? { ...textPage(303, "Logged in", "The browser goes on."), headers: { location: end.location } }
        : page(
            200,
            "Logged in",
            `The gateway may now use ${end.serverName} for you. You can close this window.`
          )
    ),
    Effect.catchTags({
      CallbackRefused: ({ problem, status }) => Effect.succeed(page(status, "Not logged in", `${problem}.`)),
      OAuthError: ({ reason }) =>
        Effect.succeed(page(400, "Not logged in", `${sentence(reason.message)} ${tryAgain}`))
    }),
    Effect.catchDefect((defect) =>
      Effect.logError("The end of a login failed by a bug", Cause.die(defect)).pipe(
        Effect.as(page(500, "Not logged in", "The gateway failed by a bug."))
      )
    )
  )

const tryAgain =
  "You can begin the login again. If it fails again, tell the operator of this gateway what is written here."

/** Completes when the page is written, or the connection closed. */
const write = (response: Http.ServerResponse, { headers, html, status }: BrowserPage): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const done = () => resume(Effect.void)
    // The browser may have left while the login was completed. Then nothing more is said of the response.
    if (response.destroyed) return done()
    response.once("finish", done).once("close", done)
    response.writeHead(status, { ...pageHeaders(), ...headers }).end(html)
    return undefined
  })

interface ListenOptions {
  readonly host: string
  readonly port: number
  readonly onRequest: Http.RequestListener
}

const listenOn = ({ host, onRequest, port }: ListenOptions) =>
  Effect.suspend(() => {
    const server = answerAll(Http.createServer(onRequest))
    return listen(server, { host, port }).pipe(
      Effect.mapError(({ code }) => new CallbackListenerError({ host, port, problem: code })),
      Effect.as(server)
    )
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
