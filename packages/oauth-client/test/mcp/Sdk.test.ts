import { assert, describe, it } from "@effect/vitest"
import type { OAuthClientOptions } from "@secure-mcp/oauth-client"
import { Answer, Certificates, ProviderBehaviour, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { makeCallback } from "../Callback.ts"
import { makeClient } from "../Servers.ts"
import { makeProtectedServer } from "./ProtectedServer.ts"
import { sdkClients } from "./SdkClients.ts"

/** An authorization server whose tokens have the scope that was asked for; `revoked` are good for nothing. */
const makeIssuer = Effect.gen(function* () {
  const server = yield* StubAuthorizationServer.make()
  const scopes = new Map<string, ReadonlyArray<string>>()
  const revoked = new Set<string>()
  const issue = (refresh: boolean) =>
    Answer.respondWith(
      Effect.fnUntraced(function* ({ form }) {
        // A code and a refresh token stand for the scope that the person saw.
        const [page] = (yield* server.requestsTo("/authorize")).toReversed()
        const asked = page && new URL(page.rawUrl, server.url).searchParams.get("scope")
        const scope = form.get("scope") ?? asked ?? ""
        const token = `token-${scopes.size + 1}`
        scopes.set(token, scope.split(" "))
        const fields = { access_token: token, expires_in: 3600, scope }
        return Answer.token(refresh ? { ...fields, refresh_token: `refresh-${token}` } : fields)
      })
    )
  const grantOf = (token: string) => {
    const scope = scopes.get(token)
    return scope === undefined || revoked.has(token) ? undefined : { scope }
  }
  return { grantOf, issue, revoked, server }
})

const makeMachine = Effect.gen(function* () {
  const issuer = yield* makeIssuer
  yield* issuer.server.always("/token", issuer.issue(false))
  const mcp = yield* makeProtectedServer(issuer.grantOf)
  const client = yield* makeClient({
    serverUrl: mcp.url,
    token_url: issuer.server.endpoint("/token"),
    client_id: "agent",
    client_secret: "the-client-secret",
    scope: "mcp:read",
    enforce_https: false
  })
  return { ...issuer, client, mcp }
})

const makePerson = (more: Partial<OAuthClientOptions> = {}) =>
  Effect.gen(function* () {
    const issuer = yield* makeIssuer
    yield* issuer.server.always("/token", issuer.issue(true))
    yield* issuer.server.always("/authorize", ProviderBehaviour.authorizes())
    const mcp = yield* makeProtectedServer(issuer.grantOf)
    const callback = yield* makeCallback
    const client = yield* makeClient({
      serverUrl: mcp.url,
      grant_type: "authorization_code",
      token_url: issuer.server.endpoint("/token"),
      authorization_url: issuer.server.endpoint("/authorize"),
      redirect_uri: callback.redirectUri,
      client_id: "agent",
      client_secret: "the-client-secret",
      scope: "mcp:read",
      enforce_https: false,
      ...more
    })
    /** What a person does with the page: agrees, and is sent back. */
    const logIn = (page: URL) =>
      Effect.promise(async () => {
        await (await fetch(page)).text()
        await client.complete(await callback.next())
      })
    return { ...issuer, callback, client, logIn, mcp }
  })

describe.each(sdkClients)("$name", ({ connect, joint, version }) => {
  // Version 1 does not tell its provider which scope the server has demanded.
  const isToldScope = version === 2 || joint !== "mcpAuthProvider"

  it.live("an agent gets its tokens by itself, and a revoked one is replaced", () =>
    Effect.gen(function* () {
      const { client, mcp, revoked, server } = yield* makeMachine
      const agent = yield* connect(mcp.url, client)
      assert.strictEqual(yield* agent.whoami, "token-1")
      revoked.add("token-1")
      assert.strictEqual(yield* agent.whoami, "token-2")
      assert.strictEqual(yield* agent.whoami, "token-2")
      assert.lengthOf(yield* server.requestsTo("/token"), 2)
      assert.deepStrictEqual(mcp.refused, [401])
    })
  )

  it.live.skipIf(!isToldScope)("an agent requests more scope when the server demands it", () =>
    Effect.gen(function* () {
      const { client, mcp, server } = yield* makeMachine
      const agent = yield* connect(mcp.url, client)
      assert.strictEqual(yield* agent.whoami, "token-1")
      mcp.requiredScopes.push("mcp:read", "mcp:write")
      assert.strictEqual(yield* agent.whoami, "token-2")
      const [, stepUp] = yield* server.requestsTo("/token")
      assert.sameMembers((stepUp?.form.get("scope") ?? "").split(" "), ["mcp:read", "mcp:write"])
      assert.deepStrictEqual(mcp.refused, [403])
    })
  )

  it.live("a person logs in, and the login is renewed", () =>
    Effect.gen(function* () {
      const { client, logIn, mcp, revoked, server } = yield* makePerson()
      const pages: Array<URL> = []
      const options = { onRedirect: (page: URL) => void pages.push(page) }
      yield* Effect.flip(connect(mcp.url, client, options))
      const page = joint === "mcpAuthProvider" ? pages[0] : yield* Effect.promise(() => client.authorize())
      assert.isDefined(page)
      yield* logIn(page)
      const agent = yield* connect(mcp.url, client, options)
      assert.strictEqual(yield* agent.whoami, "token-1")
      revoked.add("token-1")
      assert.strictEqual(yield* agent.whoami, "token-2")
      const grants = (yield* server.requestsTo("/token")).map(({ form }) => form.get("grant_type"))
      assert.deepStrictEqual(grants, ["authorization_code", "refresh_token"])
    })
  )

  it.live.skipIf(!isToldScope)("a person logs in again when the server demands more scope", () =>
    Effect.gen(function* () {
      const { client, logIn, mcp } = yield* makePerson()
      const pages: Array<URL> = []
      const options = { onRedirect: (page: URL) => void pages.push(page) }
      yield* logIn(yield* Effect.promise(() => client.authorize()))
      const agent = yield* connect(mcp.url, client, options)
      assert.strictEqual(yield* agent.whoami, "token-1")
      mcp.requiredScopes.push("mcp:read", "mcp:write")
      yield* Effect.flip(agent.whoami)
      const page = joint === "mcpAuthProvider" ? pages[0] : yield* Effect.promise(() => client.authorize())
      assert.isDefined(page)
      assert.sameMembers((page.searchParams.get("scope") ?? "").split(" "), ["mcp:read", "mcp:write"])
      yield* logIn(page)
      const again = yield* connect(mcp.url, client, options)
      assert.strictEqual(yield* again.whoami, "token-2")
    })
  )
})

describe.each(sdkClients.filter(({ joint }) => joint !== "mcpAuthProvider"))(
  "$name over mutual TLS",
  ({ connect }) => {
    it.live("an agent shows its certificate to both servers", () =>
      Effect.gen(function* () {
        const authority = yield* Certificates.makeAuthority("clients")
        const own = yield* authority.issueServer()
        const ours = yield* authority.issueClient("agent")
        const tls = { key: own.privateKeyPem, cert: own.certificatePem, ca: authority.certificatePem }
        const server = yield* StubAuthorizationServer.make({
          tls: { ...tls, requireClientCertificate: true }
        })
        yield* server.always("/token", Answer.token({ access_token: "bound", expires_in: 3600 }))
        const grantOf = (token: string) => (token === "bound" ? { scope: [] } : undefined)
        const mcp = yield* makeProtectedServer(grantOf, tls)
        const client = yield* makeClient({
          serverUrl: mcp.url,
          token_url: server.endpoint("/token"),
          client_id: "agent",
          token_endpoint_auth_method: "tls_client_auth",
          certificate: { cert: ours.certificatePem, key: ours.privateKeyPem, ca: authority.certificatePem }
        })
        const agent = yield* connect(mcp.url, client)
        assert.strictEqual(yield* agent.whoami, "bound")
      })
    )
  }
)
