import { assert, describe, it } from "@effect/vitest"
import { Answer, ProviderBehaviour, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { startStubProvider } from "./StubProvider.ts"

const clientIn = (url: string) => new URL(url).searchParams.get("client_id")

const anHour = TestClock.adjust("1 hour")

describe("a person's grant at a server that forgets", () => {
  it.effect("a client sees one refresh and then a login URL, in whatever words the refresh is refused", () =>
    Effect.gen(function* () {
      const { call, logIn, sent, stub } = yield* startStubProvider()
      yield* logIn
      yield* anHour
      yield* stub.always(
        "/token",
        ProviderBehaviour.refusesRefresh({ error: "bad_refresh_token", status: 401 })
      )
      for (let count = 1; count <= 3; count += 1) assert.isDefined((yield* call()).url)
      assert.lengthOf(yield* sent("refresh_token"), 1)
    })
  )

  it.effect("a client whose registration was forgotten sees a login URL with another client", () =>
    Effect.gen(function* () {
      const { authorizationUrl, call, logIn, stub } = yield* startStubProvider()
      yield* logIn
      yield* anHour
      yield* stub.enqueue("/token", Answer.json({ error: "invalid_client" }, { status: 401 }))
      assert.strictEqual(clientIn(yield* authorizationUrl((yield* call()).url)), "client-2")
      assert.include((yield* logIn).text, "Logged in")
      assert.strictEqual((yield* call()).token, "access-2-1")
    })
  )

  it.effect(
    "a login page that refuses the registered client leads to another client by the next logins",
    () =>
      Effect.gen(function* () {
        const { authorizationUrl, call, logIn, stub } = yield* startStubProvider()
        yield* stub.always("/authorize", ProviderBehaviour.authorizes({ unknownClients: ["client-1"] }))
        assert.strictEqual(clientIn(yield* authorizationUrl((yield* call()).url)), "client-1")
        yield* call()
        assert.strictEqual(clientIn(yield* authorizationUrl((yield* call()).url)), "client-2")
        assert.include((yield* logIn).text, "Logged in")
        assert.lengthOf(yield* stub.requestsTo("/register"), 2)
      })
  )

  it.effect("a client is served while the metadata of its server is away", () =>
    Effect.gen(function* () {
      const { call, logIn, stub } = yield* startStubProvider()
      yield* logIn
      yield* anHour
      for (const name of ["oauth-protected-resource/mcp", "oauth-authorization-server"])
        yield* stub.always(`/.well-known/${name}`, Answer.text("", { status: 404 }))
      assert.strictEqual((yield* call()).token, "access-1-2")
    })
  )

  it.effect("a server that moves to another authorization server asks for one login, there", () =>
    Effect.gen(function* () {
      const { authorizationUrl, call, logIn, sent, stub } = yield* startStubProvider()
      const next = yield* StubAuthorizationServer.make()
      yield* next.always("/authorize", ProviderBehaviour.authorizes())
      yield* next.always("/register", yield* ProviderBehaviour.registersClients())
      yield* next.always(
        "/.well-known/oauth-authorization-server",
        Answer.json({
          issuer: next.url,
          authorization_endpoint: next.endpoint("/authorize"),
          token_endpoint: next.endpoint("/token"),
          registration_endpoint: next.endpoint("/register"),
          code_challenge_methods_supported: ["S256"],
          token_endpoint_auth_methods_supported: ["none"]
        })
      )
      yield* logIn
      yield* stub.always(
        "/.well-known/oauth-protected-resource/mcp",
        Answer.json({ resource: stub.endpoint("/mcp"), authorization_servers: [next.url] })
      )
      yield* stub.always("/mcp", ProviderBehaviour.protectsResource({ takes: () => false }))
      for (let count = 1; count <= 3; count += 1) {
        const { url } = yield* call()
        assert.isDefined(url)
        assert.strictEqual(new URL(yield* authorizationUrl(url)).origin, next.url)
      }
      assert.lengthOf(yield* next.requestsTo("/register"), 1)
      assert.lengthOf(yield* sent("refresh_token"), 0)
    })
  )
})
