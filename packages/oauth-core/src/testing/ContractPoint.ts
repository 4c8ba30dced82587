import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Headers } from "effect/http/Headers"
import type { HttpClientError } from "effect/http/HttpClientError"
import type { HttpClientRequest } from "effect/http/HttpClientRequest"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { decodeOAuthConfig, type OAuthConfig } from "../config/OAuthConfig.ts"
import { type HttpExchange, type OAuthConnection, OAuthHttp } from "../OAuthHttp.ts"
import type { Proxies } from "../proxy/Proxies.ts"
import { type Answer, type ContractServer, type ContractTls, startContractServer } from "./ContractServer.ts"

/** One thing that every transport has to do. */
export interface ContractPoint {
  readonly name: string
  readonly effect: Effect.Effect<void, ContractViolation, OAuthHttp>
}

/** What a transport does that it must not do. */
export class ContractViolation extends Schema.TaggedError<ContractViolation>()("ContractViolation", {
  problem: Schema.String
}) {
  override get message(): string {
    return this.problem
  }
}

/** How the contract reaches its server. */
export interface ContractRoute {
  /** Scheme and host, as in `http://127.0.0.1:8080`. */
  readonly origin: string
  readonly proxies?: Proxies | undefined
}

/**
 * What the transport is checked with. By default the server speaks http on a port of 127.0.0.1, is reached directly, and
 * the configuration says nothing of certificates.
 *
 * @example
 * ```ts
 * import { TransportContract } from "@secure-mcp/oauth-core/testing"
 * import * as Effect from "effect/Effect"
 * import * as Redacted from "effect/Redacted"
 *
 * const startProxy = (port: number) => Effect.succeed(`http://proxy.example:3128/${port}`)
 *
 * export const throughProxy = {
 *   route: (port: number) =>
 *     Effect.map(startProxy(port), (proxy) => ({
 *       origin: "http://only-the-proxy-knows.example",
 *       proxies: { http: Redacted.make(proxy) }
 *     }))
 * }
 *
 * export const provide = Effect.provideService(TransportContract, throughProxy)
 * ```
 */
export const TransportContract = Context.Reference<{
  /** The configuration to connect with, for certificates. */
  readonly config?: OAuthConfig | undefined
  /** Lets the server speak https. */
  readonly tls?: ContractTls | undefined
  /** How the server at a port of 127.0.0.1 is reached. */
  readonly route?: ((port: number) => Effect.Effect<ContractRoute, never, Scope.Scope>) | undefined
}>("@secure-mcp/oauth-core/TransportContract", { defaultValue: () => ({}) })

/** An answer that was read to its end. */
export interface ReadAnswer {
  readonly status: number
  readonly headers: Headers
  readonly body: string
}

/** What a point works with. */
export interface Bench {
  readonly connection: OAuthConnection
  /** Sends a request and reads the answer to its end. */
  readonly send: (request: HttpClientRequest) => Effect.Effect<ReadAnswer, HttpClientError>
  readonly server: ContractServer
  readonly url: (path: string) => string
}

/** Checks something of a transport. */
export type Check = (bench: Bench) => Effect.Effect<void, ContractViolation, Scope.Scope>

/** A point about requests whose answers are read to their end: in both ways that a connection may have. */
export const contractPoint = (name: string, answer: Answer, check: Check): ContractPoint => ({
  name,
  effect: Effect.andThen(
    withServer(answer, (bench) => check({ ...bench, send: byClient(bench.connection) })),
    withServer(answer, (bench) => {
      const { exchange } = bench.connection
      return exchange === undefined ? Effect.void : check({ ...bench, send: byExchange(exchange) })
    })
  )
})

/** A point about answers that are read piece by piece, or not at all. */
export const clientPoint = (name: string, answer: Answer, check: Check): ContractPoint => ({
  name,
  effect: withServer(answer, (bench) => check({ ...bench, send: byClient(bench.connection) }))
})

const byClient =
  ({ client }: OAuthConnection): Bench["send"] =>
  (request) =>
    Effect.flatMap(client.execute(request), ({ headers, status, text }) =>
      Effect.map(text, (body) => ({ status, headers, body }))
    )

const byExchange =
  (exchange: HttpExchange): Bench["send"] =>
  (request) =>
    Effect.flatMap(exchange(request, { maxBytes: 1024 * 1024, isRead: () => true }), (answer) =>
      Effect.map(Effect.fromResult(answer.body), (bytes) => ({
        status: answer.status,
        headers: answer.headers,
        body: new TextDecoder().decode(bytes)
      }))
    )

const withServer = (
  answer: Answer,
  check: (bench: Omit<Bench, "send">) => Effect.Effect<void, ContractViolation, Scope.Scope>
) =>
  Effect.gen(function* () {
    const { config, route, tls } = yield* TransportContract
    const server = yield* startContractServer(answer, tls)
    const direct: ContractRoute = {
      origin: `${tls === undefined ? "http" : "https"}://127.0.0.1:${server.port}`
    }
    const { origin, proxies } = route === undefined ? direct : yield* route(server.port)
    const connection = yield* (yield* OAuthHttp).connection(config ?? (yield* plainConfig), { proxies })
    yield* inTime(check({ connection, server, url: (path) => origin + path }))
  }).pipe(
    Effect.scoped,
    Effect.catchTag("CertificateUnusable", ({ message }) => violation(message))
  )

/** A configuration that asks nothing of a transport. */
const plainConfig = Effect.fromResult(
  decodeOAuthConfig({
    token_url: "https://as.example/token",
    client_id: "contract",
    client_secret: "contract"
  })
).pipe(Effect.orDie)

/** Fails a point. */
export const violation = (problem: string): Effect.Effect<never, ContractViolation> =>
  Effect.fail(new ContractViolation({ problem }))

/** Demands something. */
export const expect = (satisfied: boolean, problem: string): Effect.Effect<void, ContractViolation> =>
  satisfied ? Effect.void : violation(problem)

/** Real time, because sockets know no other. */
export const pass = (milliseconds: number): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const timer = setTimeout(() => resume(Effect.void), milliseconds)
    return Effect.sync(() => clearTimeout(timer))
  })

/** Waits until something is so, at most five seconds. */
export const eventually = (isSo: () => boolean, problem: string): Effect.Effect<void, ContractViolation> =>
  Effect.gen(function* () {
    for (let waited = 0; waited < 5_000 && !isSo(); waited += 10) yield* pass(10)
    yield* expect(isSo(), problem)
  })

const longest = 15_000

const inTime = <R>(check: Effect.Effect<void, ContractViolation, R>) =>
  Effect.raceFirst(
    check,
    Effect.andThen(pass(longest), violation(`does not come to an end within ${longest / 1000} seconds`))
  )
