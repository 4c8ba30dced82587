import { assert, describe, it } from "@effect/vitest"
import {
  Answer,
  assertNoCanary,
  canary,
  findCanaries,
  refusedPort,
  StubAuthorizationServer
} from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as Result from "effect/Result"
import { makeGrants, requestFor, settle } from "./TestGrants.ts"

const secrets = {
  clientSecret: canary("client-secret"),
  parameter: canary("parameter"),
  header: canary("header"),
  query: canary("query"),
  accessToken: canary("access-token"),
  refreshToken: canary("refresh-token")
}

/** A careless server: it sends back all that it was sent, wherever text may stand. */
const echo = (status: number) =>
  Answer.respondWith(({ body, headers }) =>
    Effect.succeed(
      Answer.json(
        {
          error: secrets.clientSecret,
          error_description: `${body} ${JSON.stringify(headers)}`,
          error_uri: body,
          state: headers.authorization
        },
        { status, headers: { "x-echo": headers.authorization ?? "none" } }
      )
    )
  )

const good = Answer.token({ access_token: secrets.accessToken, refresh_token: secrets.refreshToken })

const paths: ReadonlyArray<readonly [name: string, answer: Answer]> = [
  ["a token", good],
  ["a refusal with an echo", echo(400)],
  ["a refusal in a 200 with an echo", echo(200)],
  ["an echo in a 503", echo(503)],
  ["an unusable type", Answer.token({ access_token: secrets.accessToken, token_type: secrets.accessToken })],
  ["an unusable token", Answer.token({ access_token: `${secrets.accessToken}\n` })],
  ["truncated JSON", Answer.text(`{"access_token":"${secrets.accessToken}`)],
  ["no JSON", Answer.text(secrets.accessToken)],
  ["a missing scope", Answer.token({ access_token: secrets.accessToken, scope: "none" })],
  ["a redirect", Answer.redirect(`https://evil.example/?${secrets.accessToken}`)],
  ["a reset", Answer.reset],
  ["a broken body", Answer.resetMidBody]
]

/** What an operator could see of an acquisition and the revocation after it: logs of every level, and the error. */
const seen = Effect.fnUntraced(function* (answer: Answer, useBasicAuth: boolean, url?: string) {
  const lines: Array<string> = []
  const collect = Logger.make((options) => {
    lines.push(Logger.formatJson.log(options), Logger.formatLogFmt.log(options))
  })
  const server = yield* StubAuthorizationServer.make()
  yield* server.always("/token", answer)
  yield* server.always("/revoke", echo(400))
  const grants = yield* makeGrants({ authTimeout: "1 hour" })
  const request = requestFor({
    token_url: url ?? `${server.endpoint("/token")}?key=${secrets.query}`,
    revocation_url: `${server.endpoint("/revoke")}?key=${secrets.query}`,
    client_secret: secrets.clientSecret,
    use_basic_auth: useBasicAuth,
    scope: "mcp:read",
    additional_params: { pin: secrets.parameter },
    custom_headers: { "X-Api-Key": secrets.header }
  })
  const acquired = yield* settle(grants.acquire(request, undefined)).pipe(
    Effect.tapError((error) => Effect.logError("failed", error)),
    Effect.tap((token) =>
      settle(grants.revoke(request, token)).pipe(
        Effect.catch((error) => Effect.logError("not revoked", error))
      )
    ),
    Effect.provide(Logger.layer([collect])),
    Effect.provideService(References.MinimumLogLevel, "All"),
    Effect.result
  )
  return { lines, acquired, received: yield* server.requests }
})

describe("no secret", () => {
  const cases = paths.flatMap(([name, answer]) => [
    { name, answer, method: "basic", useBasicAuth: true },
    { name, answer, method: "post", useBasicAuth: false }
  ])

  it.effect.each(cases)(
    "no secret is in a log line or an error: $name ($method)",
    ({ answer, name, useBasicAuth }) =>
      Effect.gen(function* () {
        const { acquired, lines, received } = yield* seen(answer, useBasicAuth)
        assert.isNotEmpty(lines)
        assertNoCanary(lines.join("\n"), Object.values(secrets))
        assertNoCanary(acquired, Object.values(secrets))
        if (Result.isFailure(acquired)) {
          assertNoCanary(`${acquired.failure.stack} ${acquired.failure.reason.stack}`, Object.values(secrets))
        }
        assert.strictEqual(Result.isSuccess(acquired), name === "a token")
        const sent = received.map(({ body, headers, rawUrl }) => ({ body, headers, rawUrl }))
        assert.isNotEmpty(
          findCanaries(sent, secrets.clientSecret),
          "they were sent, so they could have leaked"
        )
      })
  )

  it.effect("no secret appears in an error of a refused connection", () =>
    Effect.gen(function* () {
      const port = yield* refusedPort
      const { acquired, lines } = yield* seen(
        good,
        true,
        `http://127.0.0.1:${port}/token?key=${secrets.query}`
      )
      assert.isTrue(Result.isFailure(acquired))
      assertNoCanary({ lines, acquired }, Object.values(secrets))
    })
  )
})
