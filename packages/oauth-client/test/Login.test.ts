import { assert, describe, it } from "@effect/vitest"
import type { OAuthClientOptions } from "@secure-mcp/oauth-client"
import { Answer, ProviderBehaviour } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { makeCallback } from "./Callback.ts"
import { errorOf, makeClient, makeServers } from "./Servers.ts"

/** A provider whose refresh tokens are good for one use, and an MCP server that wants a token. */
const makeLogin = (more: Partial<OAuthClientOptions> = {}) =>
  Effect.gen(function* () {
    const { options, server } = yield* makeServers
    const rotation = yield* ProviderBehaviour.rotatesRefreshTokens
    yield* server.always("/token", rotation)
    yield* server.always("/authorize", ProviderBehaviour.authorizes())
    yield* server.always("/mcp", ProviderBehaviour.protectsResource())
    const callback = yield* makeCallback
    const client = yield* makeClient({
      ...options,
      grant_type: "authorization_code",
      authorization_url: server.endpoint("/authorize"),
      redirect_uri: callback.redirectUri,
      use_pkce: true,
      ...more
    })
    return { callback, client, options, server }
  })

/** A person who opens the page, agrees, and is sent back to the program. */
const openPage = (url: URL) => Effect.promise(async () => (await fetch(url)).text())

describe("a login in a browser", () => {
  it.live("a login ends with the URL that came back, and its token is used and renewed", () =>
    Effect.gen(function* () {
      const { callback, client, options, server } = yield* makeLogin()
      assert.strictEqual((yield* errorOf(() => client.getAccessToken())).reason, "AuthorizationRequired")
      assert.strictEqual(
        (yield* errorOf(() => client.fetch(options.serverUrl))).reason,
        "AuthorizationRequired"
      )
      const url = yield* Effect.promise(() => client.authorize())
      assert.instanceOf(url, URL)
      assert.strictEqual(url.searchParams.get("redirect_uri"), callback.redirectUri)
      yield* openPage(url)
      const returned = yield* Effect.promise(() => callback.next())
      yield* Effect.promise(() => client.complete(returned.href))
      const first = yield* Effect.promise(() => client.getAccessToken())
      const answer = yield* Effect.promise(() => client.fetch(options.serverUrl))
      assert.strictEqual(answer.status, 200)
      const renewed = yield* Effect.promise(() => client.getAccessToken({ forceRefresh: true }))
      assert.notStrictEqual(renewed, first)
      const grants = (yield* server.requestsTo("/token")).map(({ form }) => form.get("grant_type"))
      assert.deepStrictEqual(grants, ["authorization_code", "refresh_token"])
    })
  )

  it.live("a login asks for the scope that the MCP server has demanded", () =>
    Effect.gen(function* () {
      const { callback, client, options, server } = yield* makeLogin({ scope: "mcp:read" })
      const challenge = 'Bearer error="insufficient_scope", scope="mcp:write"'
      const refusal = Answer.json({}, { status: 403, headers: { "www-authenticate": challenge } })
      yield* openPage(yield* Effect.promise(() => client.authorize()))
      yield* Effect.promise(async () => client.complete(await callback.next()))
      yield* server.enqueue("/mcp", refusal)
      const error = yield* errorOf(() => client.fetch(options.serverUrl))
      assert.strictEqual(error.reason, "AuthorizationRequired")
      const again = yield* Effect.promise(() => client.authorize())
      assert.sameMembers((again.searchParams.get("scope") ?? "").split(" "), ["mcp:read", "mcp:write"])
    })
  )

  it.live("what the MCP server has demanded is kept until somebody logs in", () =>
    Effect.gen(function* () {
      const { client, options, server } = yield* makeLogin({ scope: "mcp:read" })
      const challenge = 'Bearer scope="mcp:write"'
      yield* server.always("/mcp", ProviderBehaviour.protectsResource({ challenge }))
      for (const call of [() => client.fetch(options.serverUrl), () => client.getAccessToken()])
        assert.strictEqual((yield* errorOf(call)).reason, "AuthorizationRequired")
      const url = yield* Effect.promise(() => client.authorize())
      assert.sameMembers((url.searchParams.get("scope") ?? "").split(" "), ["mcp:read", "mcp:write"])
    })
  )

  it.live("a URL that is not the answer to a login changes nothing", () =>
    Effect.gen(function* () {
      const { callback, client } = yield* makeLogin()
      const url = yield* Effect.promise(() => client.authorize())
      const forged = `${callback.redirectUri}?code=theirs&state=theirs`
      const error = yield* errorOf(() => client.complete(forged))
      assert.strictEqual(error.reason, "AuthorizationResponseInvalid")
      assert.strictEqual((yield* errorOf(() => client.complete("no URL"))).reason, "Misconfigured")
      yield* openPage(url)
      yield* Effect.promise(async () => client.complete(await callback.next()))
      assert.isString(yield* Effect.promise(() => client.getAccessToken()))
    })
  )

  it.live("a person who refuses is an error", () =>
    Effect.gen(function* () {
      const { callback, client, server } = yield* makeLogin()
      yield* server.always("/authorize", ProviderBehaviour.authorizes({ error: "access_denied" }))
      yield* openPage(yield* Effect.promise(() => client.authorize()))
      const returned = yield* Effect.promise(() => callback.next())
      assert.strictEqual((yield* errorOf(() => client.complete(returned))).reason, "AuthorizationDenied")
    })
  )

  it.live("the redirect URI may be given with the login, where its port is not known before", () =>
    Effect.gen(function* () {
      const { callback, client } = yield* makeLogin({ redirect_uri: undefined })
      const error = yield* errorOf(() => client.authorize())
      assert.deepStrictEqual(
        [error.reason, error.message.includes("`redirect_uri`")],
        ["Misconfigured", true]
      )
      const url = yield* Effect.promise(() => client.authorize({ redirectUri: callback.redirectUri }))
      yield* openPage(url)
      yield* Effect.promise(async () => client.complete(await callback.next()))
      assert.isString(yield* Effect.promise(() => client.getAccessToken()))
    })
  )
})

describe("a login on another device", () => {
  it.live("a login on another device ends when the person has agreed", () =>
    Effect.gen(function* () {
      const { options, server } = yield* makeServers
      yield* server.always(
        "/device",
        Answer.json({
          device_code: "device",
          user_code: "ABCD-EFGH",
          verification_uri: "https://auth.example.com/device",
          expires_in: 600,
          interval: 1
        })
      )
      const client = yield* makeClient({
        ...options,
        grant_type: "device_code",
        device_authorization_url: server.endpoint("/device")
      })
      const login = yield* Effect.promise(() => client.authorizeDevice())
      assert.deepInclude(login, { userCode: "ABCD-EFGH", expiresIn: 600 })
      const signal = AbortSignal.abort()
      assert.strictEqual((yield* errorOf(() => login.completed({ signal }))).reason, "Aborted")
      yield* Effect.promise(() => login.completed())
      assert.strictEqual(yield* Effect.promise(() => client.getAccessToken()), "token-1")
    })
  )
})
