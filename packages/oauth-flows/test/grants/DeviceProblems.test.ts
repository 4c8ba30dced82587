import { assert, describe, it } from "@effect/vitest"
import { Answer } from "@secure-mcp/testing"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { settle } from "../TestGrants.ts"
import { failureOf, formsAt, makeLogin } from "../TestLogin.ts"

const begun = {
  device_code: "the-device-code",
  user_code: "WDJB-MJHT",
  verification_uri: "https://as.example.com/device",
  expires_in: 600
}

const makeDevice = Effect.fnUntraced(function* (
  answer: Readonly<Record<string, unknown>> = {},
  tokens: Answer = Answer.token()
) {
  const login = yield* makeLogin({}, { grant_type: "device_code", scope: "a" })
  yield* login.server.always("/device", Answer.json({ ...begun, ...answer }))
  yield* login.server.always("/token", tokens)
  return { ...login, authorize: login.grants.authorizeDevice(login.request) }
})

const noAddress = "its `verification_uri` is not a web address"

describe("a device login that cannot begin", () => {
  const useless = [
    ["no device code", { device_code: undefined }, "it has no `device_code`"],
    ["no code to show", { user_code: undefined }, "it has no `user_code` to show"],
    ["a code with a line break", { user_code: "WDJB\nMJHT" }, "it has no `user_code` to show"],
    ["no address", { verification_uri: undefined }, noAddress],
    ["an address that runs a script", { verification_uri: "javascript:alert(1)" }, noAddress],
    ["an address with a space", { verification_uri: "https://as.example.com/a b" }, noAddress],
    ["an address that is none", { verification_uri: "as.example.com" }, noAddress],
    ["no lifetime", { expires_in: undefined }, "it has no `expires_in`"],
    ["a lifetime of zero", { expires_in: 0 }, "it has no `expires_in`"]
  ] as const
  it.effect.each(useless)("an answer is refused, and the reason says why: %s", ([, answer, problem]) =>
    Effect.gen(function* () {
      const { authorize } = yield* makeDevice(answer)
      assert.deepInclude(yield* failureOf(authorize), { _tag: "InvalidResponse", problem })
    })
  )

  it.effect("a device login of another grant is a mistake in the configuration", () =>
    Effect.gen(function* () {
      const { grants, request } = yield* makeLogin()
      assert.deepInclude(yield* failureOf(grants.authorizeDevice(request)), {
        _tag: "Misconfigured",
        problem: "`grant_type` is not device_code"
      })
    })
  )

  it.effect("a server without device logins is a mistake in the configuration, with the way out", () =>
    Effect.gen(function* () {
      const metadata = { device_authorization_endpoint: undefined }
      const { grants, request } = yield* makeLogin(metadata, { grant_type: "device_code" })
      assert.deepInclude(yield* failureOf(grants.authorizeDevice(request)), {
        _tag: "Misconfigured",
        problem:
          "the authorization server names no device authorization endpoint: configure `device_authorization_url`"
      })
    })
  )

  it.effect("a device login is not asked for with more scope than is asked of anybody", () =>
    Effect.gen(function* () {
      const { grants, request, server } = yield* makeDevice()
      const demanding = { ...request, challenge: { scope: "s".repeat(5000) } }
      assert.deepInclude(yield* failureOf(grants.authorizeDevice(demanding)), {
        _tag: "StepUpExhausted",
        tooLong: true
      })
      assert.isEmpty(yield* formsAt(server, "/device"))
    })
  )

  it.effect("a device login begins although the server is away for a moment", () =>
    Effect.gen(function* () {
      const { authorize, server } = yield* makeDevice()
      yield* server.enqueue("/device", Answer.status(503))
      assert.strictEqual((yield* settle(authorize)).userCode, "WDJB-MJHT")
      assert.lengthOf(yield* formsAt(server, "/device"), 2)
    })
  )
})

describe("a device login that waits", () => {
  it.effect.each([
    ["zero", "0"],
    ["less than zero", "-1"],
    ["endless", "1e999"],
    ["text", '"soon"'],
    ["missing", "null"]
  ])("an interval that is %s stands for five seconds", ([, interval]) =>
    Effect.gen(function* () {
      const { grants, request, server } = yield* makeDevice()
      const text = JSON.stringify(begun).replace("}", `,"interval":${interval}}`)
      yield* server.always("/device", Answer.text(text, { contentType: "application/json" }))
      const { token } = yield* grants.authorizeDevice(request)
      const askedAt: Array<number> = []
      yield* server.always(
        "/token",
        Answer.respondWith(() =>
          Effect.map(Clock.currentTimeMillis, (now) => {
            askedAt.push(now)
            return Answer.token()
          })
        )
      )
      yield* settle(token)
      assert.deepStrictEqual(askedAt, [5000])
    })
  )

  it.effect("a code is good for an hour at most", () =>
    Effect.gen(function* () {
      const { authorize } = yield* makeDevice({ expires_in: 7200 })
      assert.strictEqual((yield* authorize).expiresIn, 3600)
    })
  )

  it.effect("an address with the code in it is shown only if it is a web address", () =>
    Effect.gen(function* () {
      for (const verification_uri_complete of ["javascript:alert(1)", "", 7, undefined]) {
        const { authorize } = yield* makeDevice({ verification_uri_complete })
        assert.isUndefined((yield* authorize).verificationUriComplete)
      }
    })
  )

  const ends = [
    ["access_denied", "AuthorizationDenied"],
    ["authorization_declined", "AuthorizationDenied"],
    ["expired_token", "AuthorizationDenied"],
    ["invalid_grant", "RequestRefused"]
  ] as const
  it.effect.each(ends)("the login ends when the server says %s", ([error, _tag]) =>
    Effect.gen(function* () {
      for (const more of [{}, { error_description: "No, thanks" }]) {
        const { authorize } = yield* makeDevice({}, Answer.json({ error, ...more }, { status: 400 }))
        const { token } = yield* authorize
        const reason = yield* settle(failureOf(token))
        assert.deepInclude(reason, { _tag, error })
        if ("error_description" in more) assert.deepInclude(reason, { description: "No, thanks" })
        else assert.notProperty(reason, "description")
      }
    })
  )

  it.effect("a code that nobody used in time ends the login, and the reason says so", () =>
    Effect.gen(function* () {
      const pending = Answer.json({ error: "authorization_pending" }, { status: 400 })
      const { authorize } = yield* makeDevice({ expires_in: 12 }, pending)
      const { token } = yield* authorize
      assert.deepInclude(yield* settle(failureOf(token)), {
        _tag: "AuthorizationDenied",
        error: "expired_token",
        description: "Nobody agreed while the code was good"
      })
    })
  )
})
