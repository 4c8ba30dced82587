import { assert, describe, it } from "@effect/vitest"
import { OAuthToken } from "@secure-mcp/oauth-core"
import { Answer, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { correlationId, makeGrants, reasonOf, requestFor, settle } from "../TestGrants.ts"
import { formsAt, makeLogin } from "../TestLogin.ts"

const token = (refreshToken?: string) =>
  new OAuthToken({
    accessToken: Redacted.make("the-access-token"),
    tokenType: "Bearer",
    ...(refreshToken === undefined ? {} : { refreshToken: Redacted.make(refreshToken) }),
    issuedAt: 0,
    reusable: true
  })

const makeServer = Effect.gen(function* () {
  const server = yield* StubAuthorizationServer.make()
  const grants = yield* makeGrants({ authTimeout: "1 hour" })
  const request = (oauth: Readonly<Record<string, unknown>> = {}) =>
    requestFor({
      token_url: server.endpoint("/token"),
      revocation_url: server.endpoint("/revoke?tenant=1"),
      additional_params: { login_hint: "a" },
      custom_headers: { "X-Api-Key": "key" },
      ...oauth
    })
  return { server, grants, request }
})

describe("revocation (RFC 7009)", () => {
  it.effect(
    "revocation sends the refresh token, then the access token, authenticated like the token request",
    () =>
      Effect.gen(function* () {
        const { grants, request, server } = yield* makeServer
        yield* server.always("/revoke", Answer.text(""))
        assert.strictEqual(yield* grants.revoke(request(), token("the-refresh-token")), "Revoked")
        const requests = yield* server.requests
        assert.deepStrictEqual(
          requests.map(({ form }) => Object.fromEntries(form)),
          [
            { token: "the-refresh-token", token_type_hint: "refresh_token" },
            { token: "the-access-token", token_type_hint: "access_token" }
          ]
        )
        for (const { headers, method, rawUrl } of requests) {
          assert.strictEqual(`${method} ${rawUrl}`, "POST /revoke?tenant=1")
          assert.deepInclude(headers, {
            authorization: `Basic ${btoa("gateway:the-client-secret")}`,
            "content-type": "application/x-www-form-urlencoded",
            "x-correlation-id": correlationId,
            "x-request-id": correlationId
          })
          assert.notProperty(headers, "x-api-key", "those are for the token endpoint")
        }
      })
  )

  it.effect("revocation authenticates in the body if the configuration says so", () =>
    Effect.gen(function* () {
      const { grants, request, server } = yield* makeServer
      yield* server.always("/revoke", Answer.text(""))
      yield* grants.revoke(request({ use_basic_auth: false }), token())
      const [sent] = yield* server.requests
      assert.deepStrictEqual(sent && Object.fromEntries(sent.form), {
        token: "the-access-token",
        token_type_hint: "access_token",
        client_id: "gateway",
        client_secret: "the-client-secret"
      })
    })
  )

  it.effect("without a revocation endpoint nothing is sent, and the caller is told", () =>
    Effect.gen(function* () {
      const { grants, request, server } = yield* makeServer
      const outcome = yield* grants.revoke(request({ revocation_url: undefined }), token("the-refresh-token"))
      assert.strictEqual(outcome, "NoRevocationEndpoint")
      assert.lengthOf(yield* server.requests, 0)
    })
  )

  it.effect.each([
    Answer.text("", { status: 204 }),
    Answer.text("gone"),
    Answer.giantBody(2 ** 26),
    Answer.json({ error: "whatever" })
  ])("any 2xx counts as revoked (case %#)", (answer) =>
    Effect.gen(function* () {
      const { grants, request, server } = yield* makeServer
      yield* server.always("/revoke", answer)
      yield* grants.revoke(request(), token())
      assert.lengthOf(yield* server.requests, 1)
    })
  )

  it.effect(
    "the access token is revoked although the refresh token was refused, and the refusal is the error",
    () =>
      Effect.gen(function* () {
        const { grants, request, server } = yield* makeServer
        yield* server.enqueue(
          "/revoke",
          Answer.json(
            { error: "unsupported_token_type", error_description: "not the-refresh-token" },
            { status: 400 }
          ),
          Answer.text("")
        )
        const error = yield* Effect.flip(grants.revoke(request(), token("the-refresh-token")))
        assert.deepStrictEqual(reasonOf(error), {
          _tag: "RequestRefused",
          authenticationMethod: "client_secret_basic",
          endpoint: `the revocation endpoint ${server.endpoint("/revoke")}`,
          status: 400,
          error: "unsupported_token_type",
          description: "not [secret]"
        })
        assert.match(error.message, /^Could not revoke the access token for server "remote": /)
        const requests = yield* server.requests
        assert.deepStrictEqual(
          requests.map(({ form }) => form.get("token")),
          ["the-refresh-token", "the-access-token"]
        )
      })
  )

  it.effect(
    "with the refresh token gone, an access token that cannot be revoked is no failure (§2.2.1)",
    () =>
      Effect.gen(function* () {
        const { grants, request, server } = yield* makeServer
        const unsupported = Answer.json({ error: "unsupported_token_type" }, { status: 400 })
        yield* server.enqueue("/revoke", Answer.text(""), unsupported)
        yield* grants.revoke(request(), token("the-refresh-token"))
        assert.lengthOf(yield* server.requests, 2)
        yield* server.enqueue("/revoke", unsupported)
        const error = yield* Effect.flip(grants.revoke(request(), token()))
        assert.include(error.message, "The server cannot revoke a token of this kind")
      })
  )

  it.effect("revocation finds its endpoint through the metadata of the issuer", () =>
    Effect.gen(function* () {
      const { grants, request, server } = yield* makeLogin()
      yield* server.always("/revoke", Answer.text(""))
      yield* grants.revoke(request, token("the-refresh-token"))
      assert.deepStrictEqual(
        (yield* formsAt(server, "/revoke")).map((form) => [form["token"], form["client_id"]]),
        [
          ["the-refresh-token", "gateway"],
          ["the-access-token", "gateway"]
        ]
      )
    })
  )

  it.effect("revocation follows no redirect", () =>
    Effect.gen(function* () {
      const { grants, request, server } = yield* makeServer
      yield* server.always("/revoke", Answer.redirect(server.endpoint("/elsewhere"), 307))
      const error = yield* Effect.flip(grants.revoke(request(), token()))
      assert.strictEqual(reasonOf(error)["_tag"], "RedirectRefused")
      assert.lengthOf(yield* server.requests, 1)
    })
  )

  it.effect("revocation is retried after 503, which means that the token still exists (§2.2.1)", () =>
    Effect.gen(function* () {
      const { grants, request, server } = yield* makeServer
      yield* server.enqueue("/revoke", Answer.status(503, { retryAfter: 5 }), Answer.text(""))
      yield* settle(grants.revoke(request(), token()))
      assert.lengthOf(yield* server.requests, 2)
    })
  )

  it.effect("revocation at an endpoint that hangs fails after the timeout", () =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      yield* server.always("/revoke", Answer.hang)
      const grants = yield* makeGrants({ authTimeout: "3 seconds" })
      const request = requestFor({
        token_url: server.endpoint("/token"),
        revocation_url: server.endpoint("/revoke")
      })
      const error = yield* Effect.flip(settle(grants.revoke(request, token())))
      assert.deepInclude(reasonOf(error), { _tag: "RequestTimeout", seconds: 3 })
    })
  )
})
