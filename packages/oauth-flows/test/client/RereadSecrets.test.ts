import { assert, describe, it } from "@effect/vitest"
import { OAuthToken, type GrantRequest } from "@secure-mcp/oauth-core"
import { SecretSource, type RereadConfig } from "@secure-mcp/oauth-flows"
import { Answer, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import { makeGrants, requestFor } from "../TestGrants.ts"

const basic = (secret: string) => `Basic ${btoa(`gateway:${secret}`)}`

/** An authorization server that knows one secret of the client, and a source of secrets that counts its readings. */
const makeStage = Effect.fnUntraced(function* (oauth: Readonly<Record<string, unknown>> = {}) {
  const server = yield* StubAuthorizationServer.make()
  const secrets = { known: "new-secret", stored: "new-secret", readings: 0 }
  const guard = (answer: Answer) =>
    Answer.respondWith(({ headers }) =>
      Effect.succeed(
        headers.authorization === basic(secrets.known)
          ? answer
          : Answer.json({ error: "invalid_client" }, { status: 401 })
      )
    )
  yield* server.always("/token", guard(Answer.token({ access_token: "a-token" })))
  yield* server.always("/revoke", guard(Answer.text("")))
  const reread = ({ config }: GrantRequest): Effect.Effect<RereadConfig> =>
    Effect.sync(() => {
      secrets.readings += 1
      return { config: { ...config, clientSecret: Redacted.make(secrets.stored) }, places: ["/run/secret"] }
    })
  const grants = yield* makeGrants().pipe(Effect.provideService(SecretSource, { reread }))
  const request = requestFor({
    token_url: server.endpoint("/token"),
    revocation_url: server.endpoint("/revoke"),
    client_secret: "old-secret",
    ...oauth
  })
  return { grants, request, secrets, server }
})

const granted = (refreshToken: string) =>
  new OAuthToken({
    accessToken: Redacted.make("an-old-token"),
    tokenType: "Bearer",
    refreshToken: Redacted.make(refreshToken),
    grantedTo: { clientId: "gateway" },
    issuedAt: 0,
    expiresAt: 1,
    reusable: true
  })

describe("a client secret that was replaced", () => {
  it.effect(
    "a secret that the server refuses is read again, and the request sent once more with the new one",
    () =>
      Effect.gen(function* () {
        const { grants, request, secrets, server } = yield* makeStage()
        const token = yield* grants.acquire(request, undefined)
        assert.strictEqual(Redacted.value(token.accessToken), "a-token")
        yield* grants.acquire(request, undefined)
        const sent = (yield* server.requests).map(({ headers }) => headers.authorization)
        assert.deepStrictEqual(sent, [basic("old-secret"), basic("new-secret"), basic("new-secret")])
        assert.strictEqual(secrets.readings, 1)
      })
  )

  it.effect(
    "a refresh token that was sent with the old secret is sent again with the new one, and not lost",
    () =>
      Effect.gen(function* () {
        const { grants, request, server } = yield* makeStage({
          grant_type: "authorization_code",
          authorization_url: "https://auth.example.com/authorize"
        })
        const token = yield* grants.acquire(request, granted("the-refresh-token"))
        assert.strictEqual(token.refreshToken && Redacted.value(token.refreshToken), "the-refresh-token")
        const sent = (yield* server.requests).map(({ form }) => form.get("refresh_token"))
        assert.deepStrictEqual(sent, ["the-refresh-token", "the-refresh-token"])
      })
  )

  it.effect(
    "a refresh that is refused for the secret alone keeps the grant until the secret is replaced",
    () =>
      Effect.gen(function* () {
        const { grants, request, secrets } = yield* makeStage({
          grant_type: "authorization_code",
          authorization_url: "https://auth.example.com/authorize"
        })
        secrets.stored = "old-secret"
        const { reason } = yield* Effect.flip(grants.acquire(request, granted("the-refresh-token")))
        assert.strictEqual(reason._tag, "RequestRefused")
        assert.include(reason.message, "The secret has not changed in /run/secret")
        secrets.stored = "new-secret"
        yield* TestClock.adjust("2 minutes")
        const token = yield* grants.acquire(request, granted("the-refresh-token"))
        assert.strictEqual(Redacted.value(token.accessToken), "a-token")
      })
  )

  it.effect("a secret that the revocation endpoint refuses is read again, too", () =>
    Effect.gen(function* () {
      const { grants, request } = yield* makeStage()
      assert.strictEqual(yield* grants.revoke(request, granted("the-refresh-token")), "Revoked")
    })
  )

  it.effect("secrets are read again at most once a second, however often the server refuses them", () =>
    Effect.gen(function* () {
      const { grants, request, secrets, server } = yield* makeStage()
      secrets.stored = "another-wrong-secret"
      yield* Effect.forEach([1, 2, 3], () => Effect.flip(grants.acquire(request, undefined)))
      assert.strictEqual(secrets.readings, 1)
      assert.lengthOf(yield* server.requests, 4, "one was repeated")
      secrets.stored = "new-secret"
      yield* TestClock.adjust("1 second")
      yield* grants.acquire(request, undefined)
      assert.strictEqual(secrets.readings, 2)
    })
  )

  it.effect("a refusal with another code reads nothing again", () =>
    Effect.gen(function* () {
      const { grants, request, secrets, server } = yield* makeStage()
      yield* server.always("/token", Answer.json({ error: "unauthorized_client" }, { status: 400 }))
      yield* Effect.flip(grants.acquire(request, undefined))
      assert.strictEqual(secrets.readings, 0)
      assert.lengthOf(yield* server.requests, 1)
    })
  )
})
