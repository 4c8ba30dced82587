import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import {
  decodeOAuthConfig,
  Grants,
  type OAuthError,
  OAuthErrorReason,
  OAuthHttp,
  type GrantRequest,
  type OAuthConfig
} from "@secure-mcp/oauth-core"
import { OAuthFlows } from "@secure-mcp/oauth-flows"
import { type Answer, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Random from "effect/Random"
import * as References from "effect/References"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"

export const correlationId = "5f1c9b9e-6b0a-4c8e-9f53-5f8b2c1f0a11"

/** Grants over real HTTP. */
export const makeGrants = (
  options: Parameters<typeof OAuthFlows.layerOptions>[0] = {},
  client: Layer.Layer<HttpClient.HttpClient> = NodeHttpClient.layerUndici
) =>
  Layer.build(
    OAuthFlows.layerOptions(options).pipe(Layer.provide(OAuthHttp.layer), Layer.provide(client))
  ).pipe(Effect.map(Context.get(Grants)))

/** Grants whose requests are answered at once by `answer`, and the moments of those requests by the test clock. */
export const makeGrantsAnsweredBy = Effect.fnUntraced(function* (
  answer: (url: URL, count: number) => Effect.Effect<Response>
) {
  const moments: Array<number> = []
  const client = HttpClient.make((request, url) =>
    Effect.gen(function* () {
      moments.push(yield* Clock.currentTimeMillis)
      return HttpClientResponse.fromWeb(request, yield* answer(url, moments.length))
    })
  )
  const grants = yield* makeGrants({}, Layer.succeed(HttpClient.HttpClient, client))
  return { grants, moments }
})

export const tokenAnswer = (fields: Readonly<Record<string, unknown>> = {}) =>
  Response.json({ access_token: "a-token", token_type: "Bearer", expires_in: 3600, ...fields })

/** The wire form of a configuration with good defaults; a key set to `undefined` is left out. */
export const decodeConfig = (oauth: Readonly<Record<string, unknown>>): OAuthConfig => {
  const complete = {
    client_id: "gateway",
    client_secret: "the-client-secret",
    enforce_https: false,
    ...oauth
  }
  const entries = Object.entries(complete).filter(([, value]) => value !== undefined)
  return Result.getOrThrow(decodeOAuthConfig(Object.fromEntries(entries)))
}

export const requestFor = (oauth: Readonly<Record<string, unknown>>): GrantRequest => ({
  serverName: "remote",
  config: decodeConfig(oauth),
  correlationId
})

/** Runs an effect on the test clock to its end, moving the clock by seconds while real I/O goes on. */
export const settle = Effect.fnUntraced(function* <A, E, R>(effect: Effect.Effect<A, E, R>) {
  const fiber = yield* Effect.forkChild(effect)
  const tick = Effect.andThen(
    TestClock.adjust("1 second"),
    Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
  )
  return yield* Effect.raceFirst(Fiber.join(fiber), Effect.forever(tick))
})

/** Every line that an effect logs, of every level. */
export const makeLog = () => {
  const lines: Array<string> = []
  const collect = Logger.make((options) => {
    lines.push(Logger.formatJson.log(options))
  })
  const record = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    effect.pipe(
      Effect.provide(Logger.layer([collect])),
      Effect.provideService(References.MinimumLogLevel, "All")
    )
  return { lines, record }
}

/** The reason of an error as plain data. */
export const reasonOf = ({ reason }: OAuthError): Readonly<Record<string, unknown>> =>
  Schema.encodeSync(OAuthErrorReason)(reason)

/** Jitter as if chance had given this number between 0 and 1. */
export const withChance = (chance: number) =>
  Effect.provideService(Random.Random, { nextDoubleUnsafe: () => chance, nextIntUnsafe: () => 0 })

/** In milliseconds since the epoch. */
export const now = 1_800_000_000_000

/** An acquisition at {@link now} from a server that gives one answer. */
export const acquireFrom = Effect.fnUntraced(function* (
  answer: Answer,
  oauth: Readonly<Record<string, unknown>> = {}
) {
  const server = yield* StubAuthorizationServer.make()
  yield* server.always("/token", answer)
  const grants = yield* makeGrants()
  yield* TestClock.setTime(now)
  const request = requestFor({ token_url: server.endpoint("/token"), ...oauth })
  return { server, outcome: grants.acquire(request, undefined) }
})
