import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as HttpClient from "effect/http/HttpClient"
import type { HttpClientError } from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type { HttpClientResponse } from "effect/http/HttpClientResponse"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { decodeOAuthConfig } from "../config/OAuthConfig.ts"
import { OAuthHttp } from "../OAuthHttp.ts"
import {
  type Bench,
  clientPoint,
  type ContractPoint,
  contractPoint,
  type ContractViolation,
  eventually,
  expect,
  pass,
  violation
} from "./ContractPoint.ts"
import type { Answer } from "./ContractServer.ts"

const text =
  (body: string, headers: Readonly<Record<string, string>> = {}, status = 200): Answer =>
  (response) => {
    response.writeHead(status, { "content-type": "text/plain", ...headers }).end(body)
  }

/** The answer to a request; that there is none is a violation. */
const answered = <A, R>(
  exchange: Effect.Effect<A, HttpClientError, R>
): Effect.Effect<A, ContractViolation, R> =>
  Effect.catch(exchange, ({ message }) => violation(`fails: ${message}`))

const read = ({ send, url }: Bench, path: string) => answered(send(HttpClientRequest.get(url(path))))

/** That an exchange fails, and as `HttpClientError`. */
const expectFailure = Effect.fnUntraced(function* (
  exchange: Effect.Effect<unknown, HttpClientError>,
  problem: string
) {
  const exit = yield* Effect.exit(exchange)
  yield* expect(Exit.isFailure(exit), problem)
  yield* expect(
    Exit.isFailure(exit) && Option.getOrUndefined(Exit.findErrorOption(exit))?._tag === "HttpClientError",
    "fails otherwise than with an HttpClientError"
  )
})

const redirectStatuses = [301, 302, 303, 307, 308]

const redirects: ReadonlyArray<ContractPoint> = redirectStatuses.map((status) =>
  contractPoint(
    `does not follow a ${status}, which would send credentials elsewhere`,
    (response, request) =>
      request.path === "/token"
        ? text("", { location: "/elsewhere" }, status)(response, request)
        : text("elsewhere")(response, request),
    Effect.fnUntraced(function* ({ send, server, url }) {
      const message = HttpClientRequest.post(url("/token")).pipe(
        HttpClientRequest.bodyText("secret=1", "application/x-www-form-urlencoded")
      )
      const answer = yield* answered(send(message))
      yield* expect(answer.status === status, `gives ${answer.status} instead of the redirect`)
      yield* pass(20)
      yield* expect(server.arrived.length === 1, "follows a redirect")
    })
  )
)

/** Headers that nobody has asked for, and that say more than they should. */
const unwanted = ["authorization", "proxy-authorization", "cookie", "referer", "origin"]

const endless: Answer = (response) => {
  response.writeHead(200, { "content-type": "application/octet-stream" })
  const piece = Buffer.alloc(64 * 1024, "x")
  const write = () => {
    while (!response.destroyed && response.write(piece));
  }
  response.on("drain", write)
  write()
}

/** Sends the beginning of a body, and nothing after it. */
const beginning: Answer = (response) => {
  response.writeHead(200, { "content-type": "text/event-stream" })
  response.write("data: first\n\n")
}

const soon = <A, R>(effect: Effect.Effect<A, ContractViolation, R>) =>
  Effect.raceFirst(effect, Effect.andThen(pass(3_000), violation("holds back a body until its end")))

const firstPiece = (response: HttpClientResponse) =>
  answered(Effect.map(Stream.runHead(response.stream), Option.getOrUndefined))

/**
 * What every `OAuthHttp` has to do, as data for any test runner. Each effect succeeds, or fails with a
 * `ContractViolation`. They run in any order, each with a server of its own on a loopback port, and in real time even
 * under a TestClock; each takes less than a second with a transport that keeps the contract. `TransportContract` says
 * how the server is reached: with TLS, or through a proxy.
 *
 * @example
 * ```ts
 * import { it } from "@effect/vitest"
 * import { OAuthHttp } from "@secure-mcp/oauth-core"
 * import { oauthHttpContract } from "@secure-mcp/oauth-core/testing"
 * import * as Effect from "effect/Effect"
 * import * as FetchHttpClient from "effect/http/FetchHttpClient"
 * import * as Layer from "effect/Layer"
 *
 * const transport = OAuthHttp.layer.pipe(Layer.provide(FetchHttpClient.layer))
 *
 * for (const { effect, name } of oauthHttpContract) it.effect(name, () => Effect.provide(effect, transport))
 * ```
 */
export const oauthHttpContract: ReadonlyArray<ContractPoint> = [
  contractPoint(
    "sends a request as it is, and gives back the answer as it is",
    (response, request) => text(request.body, { "x-answer": "a, b" }, 201)(response, request),
    Effect.fnUntraced(function* ({ send, server, url }) {
      const message = HttpClientRequest.post(url("/token?tenant=a%20b")).pipe(
        HttpClientRequest.setHeaders({ "x-correlation-id": "c-1", "user-agent": "contract/1.0" }),
        HttpClientRequest.bodyText("grant_type=x&ü=ß", "application/x-www-form-urlencoded")
      )
      const { body, headers, status } = yield* answered(send(message))
      yield* expect(status === 201 && headers["x-answer"] === "a, b", "changes an answer")
      yield* expect(body === "grant_type=x&ü=ß", "changes a body")
      const [request] = server.arrived
      yield* expect(
        request?.method === "POST" && request.path === "/token?tenant=a%20b",
        "changes the method or the path of a request"
      )
      yield* expect(
        request?.headers["x-correlation-id"] === "c-1" &&
          request.headers["user-agent"] === "contract/1.0" &&
          request.headers["content-type"] === "application/x-www-form-urlencoded",
        "changes the headers of a request"
      )
      const added = unwanted.filter((name) => request?.headers[name] !== undefined)
      yield* expect(added.length === 0, `adds the headers ${added.join(", ")}`)
    })
  ),
  ...redirects,
  contractPoint(
    "gives back an answer of any status",
    (response, request) => text("no", {}, Number(request.path.slice(1)))(response, request),
    Effect.fnUntraced(function* (bench) {
      for (const status of [400, 401, 404, 429, 500, 503]) {
        const answer = yield* read(bench, `/${status}`)
        yield* expect(answer.status === status && answer.body === "no", `changes an answer with ${status}`)
      }
      yield* expect(bench.server.arrived.length === 6, "sends a request again by itself")
    })
  ),
  contractPoint(
    "sends no cookie that a server has set",
    text("ok", { "set-cookie": "session=1; Path=/" }),
    Effect.fnUntraced(function* (bench) {
      yield* read(bench, "/one")
      yield* read(bench, "/two")
      yield* expect(
        bench.server.arrived.every(({ headers }) => headers.cookie === undefined),
        "sends a cookie"
      )
    })
  ),
  contractPoint(
    "asks the server each time, whatever an earlier answer says of caching",
    text("ok", { "cache-control": "public, max-age=3600", etag: '"1"' }),
    Effect.fnUntraced(function* (bench) {
      yield* read(bench, "/same")
      yield* read(bench, "/same")
      yield* expect(bench.server.arrived.length === 2, "answers from a cache")
    })
  ),
  contractPoint(
    "sends a request once, even if its connection breaks",
    (response) => response.destroy(),
    Effect.fnUntraced(function* ({ send, server, url }) {
      const message = HttpClientRequest.post(url("/token")).pipe(HttpClientRequest.bodyText("code=1"))
      yield* expectFailure(send(message), "gives an answer where there was none")
      yield* pass(100)
      yield* expect(server.arrived.length === 1, "sends a request again by itself")
    })
  ),
  contractPoint(
    "fails for a body that ends too early",
    (response) => {
      response.writeHead(200, { "content-length": "100" })
      response.write("{", () => response.destroy())
    },
    Effect.fnUntraced(function* ({ send, url }) {
      yield* expectFailure(send(HttpClientRequest.get(url("/short"))), "takes a part of a body for the whole")
    })
  ),
  clientPoint(
    "gives a body piece by piece, as it arrives",
    beginning,
    Effect.fnUntraced(function* ({ connection: { client }, url }) {
      const response = yield* soon(answered(HttpClient.withScope(client).get(url("/events"))))
      const piece = yield* soon(firstPiece(response))
      yield* expect(piece !== undefined && piece.length > 0, "gives an empty piece of a body")
    })
  ),
  clientPoint(
    "reads no more of a body than is asked for",
    endless,
    Effect.fnUntraced(function* ({ connection: { client }, server, url }) {
      yield* Effect.gen(function* () {
        const response = yield* answered(HttpClient.withScope(client).get(url("/endless")))
        yield* firstPiece(response)
      }).pipe(Effect.scoped)
      yield* eventually(() => server.abandoned() === 1, "goes on with a body that nobody reads")
    })
  ),
  contractPoint(
    "closes the connection of a request that is interrupted",
    () => {},
    Effect.fnUntraced(function* ({ send, server, url }) {
      // One that cannot be interrupted would keep the point, too.
      const waiting = yield* Effect.forkDetach(send(HttpClientRequest.get(url("/never"))))
      yield* eventually(() => server.arrived.length === 1, "sends no request")
      waiting.interruptUnsafe()
      yield* eventually(() => server.abandoned() === 1, "keeps the connection of an interrupted request")
    })
  ),
  clientPoint(
    "closes the connection of an answer whose scope closes before its end",
    beginning,
    Effect.fnUntraced(function* ({ connection: { client }, server, url }) {
      yield* Effect.scoped(answered(HttpClient.withScope(client).get(url("/events"))))
      yield* eventually(() => server.abandoned() === 1, "keeps the connection of an answer that nobody reads")
    })
  ),
  clientPoint(
    "reads no more of an answer than an exchange allows",
    endless,
    Effect.fnUntraced(function* ({ connection: { exchange }, server, url }) {
      if (exchange === undefined) return
      const message = HttpClientRequest.get(url("/endless"))
      const { body } = yield* answered(exchange(message, { maxBytes: 1000, isRead: () => true }))
      yield* expect(Result.getOrUndefined(body) === undefined, "gives a body that is too long")
      yield* eventually(() => server.abandoned() === 1, "goes on with a body that is too long")
    })
  ),
  contractPoint(
    "keeps answers apart that arrive at once",
    (response, request) => {
      setTimeout(() => text(request.path)(response, request), request.path.length % 3)
    },
    Effect.fnUntraced(function* (bench) {
      const paths = Array.from({ length: 20 }, (_, index) => `/${"x".repeat(index)}`)
      const answers = yield* Effect.forEach(paths, (path) => read(bench, path), { concurrency: "unbounded" })
      yield* expect(
        answers.every(({ body }, index) => body === paths[index]),
        "mixes up the answers of two requests"
      )
    })
  ),
  {
    name: "fails rather than to leave out a client certificate that the configuration asks for",
    effect: Effect.gen(function* () {
      const config = yield* Effect.orDie(
        Effect.fromResult(
          decodeOAuthConfig({
            token_url: "https://as.example/token",
            client_id: "contract",
            use_mtls: true,
            client_cert_path: "/nowhere/contract.pem",
            client_key_path: "/nowhere/contract.key"
          })
        )
      )
      const outcome = yield* Effect.exit((yield* OAuthHttp).connection(config))
      yield* expect(Exit.isFailure(outcome), "gives a connection without the certificate")
    })
  }
]
