import { assert, describe, it } from "@effect/vitest"
import {
  decodeOAuthConfig,
  OAuthHttp,
  OAuthService,
  type AccessTokenRequest,
  type OAuthConfig
} from "@secure-mcp/oauth-core"
import { OAuthFlows } from "@secure-mcp/oauth-flows"
import { SingleFlightTokenCache } from "@secure-mcp/token-cache"
import { MemoryTokenStore } from "@secure-mcp/token-cache/testing"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as TestClock from "effect/testing/TestClock"

const endpoints = {
  token_url: "https://as.example.com/token",
  authorization_url: "https://as.example.com/authorize",
  client_id: "gateway",
  token_expiry_buffer: 300
}
const configOf = (oauth: object): OAuthConfig =>
  Result.getOrThrow(decodeOAuthConfig({ ...endpoints, ...oauth }))

const person = configOf({ grant_type: "authorization_code", issuer: "https://as.example.com" })
const machine: AccessTokenRequest = {
  serverName: "machine",
  config: configOf({ grant_type: "client_credentials", client_secret: "the-client-secret" })
}
const people = Array.from({ length: 20 }, (_, index): AccessTokenRequest => ({
  serverName: "person",
  subject: `person-${index}`,
  config: person
}))

type Trouble = "unavailable" | "reset"

/** Tokens of one second from an authorization server that is in trouble for a while, all on the test clock. */
const startService = Effect.gen(function* () {
  let trouble: Trouble | undefined
  let issued = 0
  const client = HttpClient.make((request) =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      if (trouble === "reset")
        return yield* new HttpClientError.HttpClientError({
          reason: new HttpClientError.TransportError({
            request,
            cause: Object.assign(new Error("the connection was reset"), { code: "ECONNRESET" })
          })
        })
      issued += 1
      const answer =
        trouble === undefined
          ? Response.json({
              access_token: `until-${now + 1000}-${issued}`,
              token_type: "Bearer",
              expires_in: 1,
              refresh_token: `refresh-${issued}`
            })
          : new Response(null, { status: 503 })
      return HttpClientResponse.fromWeb(request, answer)
    })
  )
  const http = OAuthHttp.layer.pipe(Layer.provide(Layer.succeed(HttpClient.HttpClient, client)))
  const cache = SingleFlightTokenCache.layer.pipe(Layer.provide(MemoryTokenStore.layer))
  const services = yield* Layer.build(
    OAuthService.layer.pipe(Layer.provide([OAuthFlows.layer.pipe(Layer.provide(http)), cache, http]))
  )
  const service = Context.get(services, OAuthService)
  const logIn = Effect.fnUntraced(function* (request: AccessTokenRequest) {
    const { authorizationUrl } = yield* service.authorize(request, {
      redirectUri: "http://127.0.0.1/callback"
    })
    const state = new URL(authorizationUrl).searchParams.get("state") ?? ""
    yield* service.completeAuthorization({ code: "a-code", state })
  })
  return {
    service,
    logIn,
    become: (next: Trouble | undefined) => {
      trouble = next
    }
  }
})

interface Asked {
  readonly at: number
  readonly isPerson: boolean
  readonly exit: Exit.Exit<number, unknown>
}

/**
 * Ten seconds with 200 requests a second, a tenth of them a machine's.
 *
 * @param duration of the outage after four seconds, in milliseconds
 */
const askThrough = Effect.fnUntraced(function* (trouble: Trouble, duration: number) {
  const { become, logIn, service } = yield* startService
  // One after the other, so that the tokens expire at different times.
  for (const request of people) yield* Effect.andThen(logIn(request), TestClock.adjust("50 millis"))
  const start = yield* Clock.currentTimeMillis
  const ask = Effect.fnUntraced(function* (request: AccessTokenRequest) {
    const at = (yield* Clock.currentTimeMillis) - start
    const exit = yield* Effect.exit(service.getAccessToken(request))
    const now = yield* Clock.currentTimeMillis
    const left = Exit.map(exit, ({ token }) => {
      const [, end = "0"] = Redacted.value(token.accessToken).split("-")
      return Number(end) - now
    })
    return { at, isPerson: request !== machine, exit: left } satisfies Asked
  })
  const fibers: Array<Fiber.Fiber<Asked>> = []
  for (let count = 0; count < 2000; count += 1) {
    if (count === 800) become(trouble)
    if (count === 800 + duration / 5) become(undefined)
    const request =
      count % 10 === 9 ? machine : (people[(count * 7 + Math.floor(count / 10)) % people.length] ?? machine)
    fibers.push(yield* Effect.forkChild(ask(request), { startImmediately: true }))
    yield* TestClock.adjust("5 millis")
  }
  yield* TestClock.adjust("20 seconds")
  const asked = yield* Fiber.joinAll(fibers)
  const failed = asked.filter(({ exit }) => Exit.isFailure(exit))
  const share = (of: (one: Asked) => boolean) => failed.filter(of).length / asked.filter(of).length
  return {
    people: share(({ isPerson }) => isPerson),
    machine: share(({ isPerson }) => !isPerson),
    failedAfterwards: failed.filter(({ at }) => at > 4000 + duration + 1500).length,
    expired: asked.filter(({ exit }) => Exit.isSuccess(exit) && exit.value <= 0).length
  }
})

describe("an authorization server that is in trouble for a short time", () => {
  it.effect.each([300, 1500])(
    "no request fails while it answers 503 for %i ms, because callers wait",
    (duration) =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* askThrough("unavailable", duration), {
          people: 0,
          machine: 0,
          failedAfterwards: 0,
          expired: 0
        })
      })
  )

  it.effect("few requests fail while it resets connections for 300 ms, and none that began afterwards", () =>
    Effect.gen(function* () {
      const { expired, failedAfterwards, machine, people } = yield* askThrough("reset", 300)
      assert.isAtMost(people, 0.05)
      assert.isAtMost(machine, 0.01)
      assert.strictEqual(failedAfterwards, 0)
      assert.strictEqual(expired, 0)
    })
  )
})
