import { UnauthorizedError, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { UnauthorizedError as UnauthorizedErrorV1 } from "@modelcontextprotocol/sdk/client/auth.js"
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { assert, describe, it } from "@effect/vitest"
import { mcpAuthProvider } from "@secure-mcp/oauth-client/mcp"
import { Answer, ProviderBehaviour } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { makeCallback } from "../Callback.ts"
import { errorOf, makeClient, makeServers, thrownBy } from "../Servers.ts"

const makePerson = Effect.gen(function* () {
  const { options, server } = yield* makeServers
  yield* server.always("/authorize", ProviderBehaviour.authorizes())
  yield* server.always("/mcp", ProviderBehaviour.protectsResource())
  const callback = yield* makeCallback
  const client = yield* makeClient({
    ...options,
    grant_type: "authorization_code",
    authorization_url: server.endpoint("/authorize"),
    redirect_uri: callback.redirectUri
  })
  return { callback, client, server, url: new URL(options.serverUrl) }
})

const ping = { jsonrpc: "2.0", id: 1, method: "ping" } as const

const transports = {
  1: (url: URL, authProvider: ReturnType<typeof mcpAuthProvider>) => new TransportV1(url, { authProvider }),
  2: (url: URL, authProvider: ReturnType<typeof mcpAuthProvider>) =>
    new StreamableHTTPClientTransport(url, { authProvider })
}

describe.each([1, 2] as const)("the provider in version %i of the SDK", (version) => {
  it.live("a login that is needed is the SDK's UnauthorizedError, and its finishAuth ends the login", () =>
    Effect.gen(function* () {
      const { callback, client, url } = yield* makePerson
      const pages: Array<URL> = []
      const provider = mcpAuthProvider(client, { onRedirect: (page) => void pages.push(page) })
      const transport = transports[version](url, provider)
      yield* Effect.promise(() => transport.start())
      const error = yield* thrownBy(() => transport.send(ping))
      assert.instanceOf(error, version === 1 ? UnauthorizedErrorV1 : UnauthorizedError)
      const [page] = pages
      assert.isDefined(page)
      yield* Effect.promise(async () => (await fetch(page)).text())
      const returned = yield* Effect.promise(() => callback.next())
      yield* Effect.promise(() => transport.finishAuth(returned.searchParams.get("code") ?? ""))
      assert.strictEqual(yield* Effect.promise(() => client.getAccessToken()), "token-1")
      yield* Effect.promise(() => transport.send(ping))
      yield* Effect.promise(() => transport.close())
    })
  )

  it.live("a login that nobody is shown is an error that says what to do", () =>
    Effect.gen(function* () {
      const { client, url } = yield* makePerson
      const transport = transports[version](url, mcpAuthProvider(client))
      yield* Effect.promise(() => transport.start())
      const error = yield* errorOf(() => transport.send(ping))
      assert.strictEqual(error.reason, "AuthorizationRequired")
      assert.include(error.message, "`onRedirect`")
      yield* Effect.promise(() => transport.close())
    })
  )

  it.live(
    "an authorization server that is away is the error of the client, and nothing is sent to the MCP server",
    () =>
      Effect.gen(function* () {
        const { options, server } = yield* makeServers
        yield* server.always("/token", Answer.status(503, { retryAfter: 3600 }))
        const client = yield* makeClient(options)
        const transport = transports[version](new URL(options.serverUrl), mcpAuthProvider(client))
        yield* Effect.promise(() => transport.start())
        assert.strictEqual((yield* errorOf(() => transport.send(ping))).reason, "EndpointUnavailable")
        assert.lengthOf(yield* server.requestsTo("/mcp"), 0)
        yield* Effect.promise(() => transport.close())
      })
  )
})
