import { assert, describe, it } from "@effect/vitest"
import { Answer } from "@secure-mcp/testing"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Fiber from "effect/Fiber"
import { settle } from "../TestGrants.ts"
import { accessToken, assertFailsWith, failureOf, formsAt, makeLogin } from "../TestLogin.ts"

const begun = {
  device_code: "the-device-code",
  user_code: "WDJB-MJHT",
  verification_uri: "https://as.example.com/device",
  verification_uri_complete: "https://as.example.com/device?user_code=WDJB-MJHT",
  expires_in: 3600
}

const error = (error: string) => Answer.json({ error }, { status: 400 })

const makeDevice = Effect.fnUntraced(function* (answer: Readonly<Record<string, unknown>> = {}) {
  const login = yield* makeLogin({}, { grant_type: "device_code", scope: "a" })
  yield* login.server.always("/device", Answer.json({ ...begun, ...answer }))
  /** The seconds at which the token endpoint was asked. */
  const asked: Array<number> = []
  const answers: Array<Answer> = []
  yield* login.server.always(
    "/token",
    Answer.respondWith(() =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        asked.push(now / 1000)
        return answers.shift() ?? error("authorization_pending")
      })
    )
  )
  return { ...login, asked, answers, authorize: login.grants.authorizeDevice(login.request) }
})

describe("the device authorization grant (RFC 8628)", () => {
  it.effect("a device login shows the code and waits for the person", () =>
    Effect.gen(function* () {
      const { answers, authorize, server } = yield* makeDevice()
      answers.push(error("authorization_pending"), Answer.token({ refresh_token: "r" }))
      const { token, ...shown } = yield* authorize
      assert.deepStrictEqual(shown, {
        userCode: "WDJB-MJHT",
        verificationUri: "https://as.example.com/device",
        verificationUriComplete: "https://as.example.com/device?user_code=WDJB-MJHT",
        expiresIn: 3600
      })
      const granted = yield* settle(token)
      assert.strictEqual(accessToken(granted), "stub-access-token")
      assert.deepStrictEqual(granted.scope, ["a"])
      assert.deepStrictEqual(granted.grantedTo, {
        issuer: server.url,
        resource: "https://mcp.example.com/mcp",
        scope: "a",
        tokenEndpoint: Redacted.make(server.endpoint("/token")),
        revocationEndpoint: Redacted.make(server.endpoint("/revoke")),
        clientId: "gateway",
        tokenEndpointAuthMethod: "none"
      })
      assert.deepStrictEqual(yield* formsAt(server, "/device"), [
        { client_id: "gateway", scope: "a", resource: "https://mcp.example.com/mcp" }
      ])
      assert.deepStrictEqual((yield* formsAt(server))[1], {
        grant_type: "urn:ietf:params:oauth:grant-type:device_code",
        device_code: "the-device-code",
        client_id: "gateway"
      })
    })
  )

  it.effect("polling follows the server's interval, which is five seconds by default", () =>
    Effect.gen(function* () {
      for (const [interval, expected] of [
        [undefined, 5],
        [2, 2]
      ] as const) {
        const { asked, answers, authorize } = yield* makeDevice({ interval })
        answers.push(error("authorization_pending"), error("authorization_pending"), Answer.token())
        const start = (yield* Clock.currentTimeMillis) / 1000
        yield* settle((yield* authorize).token)
        assert.isAtLeast((asked[0] ?? 0) - start, expected)
        assert.isAtLeast((asked[1] ?? 0) - (asked[0] ?? 0), expected)
        assert.isAtLeast((asked[2] ?? 0) - (asked[1] ?? 0), expected)
      }
    })
  )

  it.effect("an interval that is too large for a number counts as none", () =>
    Effect.gen(function* () {
      const { answers, authorize, server } = yield* makeDevice()
      const endless = JSON.stringify(begun).replace("}", ',"interval":1e999}')
      yield* server.always("/device", Answer.text(endless, { contentType: "application/json" }))
      answers.push(Answer.token())
      assert.strictEqual(accessToken(yield* settle((yield* authorize).token)), "stub-access-token")
    })
  )

  it.effect(
    "polling slows down by five seconds after slow_down, and doubles its interval after a transient failure",
    () =>
      Effect.gen(function* () {
        const { asked, answers, authorize } = yield* makeDevice()
        answers.push(error("slow_down"), error("authorization_pending"), Answer.status(503), Answer.token())
        yield* settle((yield* authorize).token)
        const [first = 0, second = 0, third = 0, fourth = 0] = asked
        assert.isAtLeast(second - first, 10)
        assert.isAtLeast(third - second, 10)
        assert.isAtLeast(fourth - third, 20)
      })
  )

  it.effect("polling ends when the device code expires", () =>
    Effect.gen(function* () {
      const { asked, authorize } = yield* makeDevice({ expires_in: 60 })
      const { token } = yield* authorize
      assert.deepInclude(yield* failureOf(settle(token)), {
        _tag: "AuthorizationDenied",
        error: "expired_token"
      })
      assert.isAtMost(asked.length, 11)
    })
  )

  it.effect.each([
    ["access_denied", "the authorization was denied (access_denied)"],
    ["authorization_declined", "the person declined the authorization (authorization_declined)"],
    ["expired_token", "the code expired before anybody agreed: log in again (expired_token)"]
  ] as const)("polling ends at %s", ([code, message]) =>
    Effect.gen(function* () {
      const { asked, answers, authorize } = yield* makeDevice()
      answers.push(error(code))
      const { token } = yield* authorize
      const reason = yield* failureOf(settle(token))
      assert.deepInclude(reason, { _tag: "AuthorizationDenied", error: code })
      assert.strictEqual(reason.message, message)
      assert.lengthOf(asked, 1)
    })
  )

  it.effect("a device authorization endpoint that says slow_down is told as such", () =>
    Effect.gen(function* () {
      const { authorize, server } = yield* makeDevice()
      yield* server.enqueue("/device", error("slow_down"))
      const reason = yield* failureOf(authorize)
      assert.include(reason.message, "(slow_down). The server is asked too often")
    })
  )

  it.effect("polling ends at any other refusal with that refusal", () =>
    Effect.gen(function* () {
      const { answers, authorize } = yield* makeDevice()
      answers.push(error("invalid_client"))
      yield* assertFailsWith(settle((yield* authorize).token), "RequestRefused")
    })
  )

  it.effect("polling can be interrupted while it waits", () =>
    Effect.gen(function* () {
      const { authorize } = yield* makeDevice()
      const { token } = yield* authorize
      const waiting = yield* Effect.forkChild(token, { startImmediately: true })
      yield* Fiber.interrupt(waiting)
    })
  )

  const useless = [
    { device_code: undefined },
    { user_code: undefined },
    { user_code: "\u001b[2J" },
    { verification_uri: "javascript:alert(1)" },
    { expires_in: undefined },
    { expires_in: -1 }
  ]
  it.effect.each(useless)("a device authorization response with %j is refused", (fields) =>
    Effect.gen(function* () {
      const { authorize } = yield* makeDevice(fields)
      yield* assertFailsWith(authorize, "InvalidResponse")
    })
  )

  it.effect("asking for a token begins no device login", () =>
    Effect.gen(function* () {
      const { grants, request, server } = yield* makeDevice()
      yield* assertFailsWith(grants.acquire(request, undefined), "AuthorizationRequired")
      assert.lengthOf(yield* formsAt(server, "/device"), 0)
    })
  )

  it.effect("a device login without an endpoint is a configuration error", () =>
    Effect.gen(function* () {
      const { grants, request } = yield* makeLogin(
        { device_authorization_endpoint: undefined },
        { grant_type: "device_code" }
      )
      yield* assertFailsWith(grants.authorizeDevice(request), "Misconfigured")
    })
  )
})
