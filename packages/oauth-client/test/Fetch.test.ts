import { assert, describe, it } from "@effect/vitest"
import { createOAuthClient } from "@secure-mcp/oauth-client"
import { Answer, ProviderBehaviour, refusedPort, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { errorOf, makeClient, makeServers, thrownBy } from "./Servers.ts"

/** A client, and an MCP server that takes the tokens given and answers with the one that it was sent. */
const makeProtected = (takes: (token: string) => boolean = () => true) =>
  Effect.gen(function* () {
    const { options, server } = yield* makeServers
    yield* server.always("/mcp", ProviderBehaviour.protectsResource({ takes }))
    return { client: yield* makeClient(options), options, server, url: options.serverUrl }
  })

const tokenIn = async (response: Response): Promise<unknown> => {
  assert.strictEqual(response.status, 200)
  const { result } = Object(await response.json())
  return result.token
}

const rpc = {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: '{"id":1,"method":"ping"}'
}

/** The last of the tokens that are obtained, and none before. */
const secondOnly = (token: string) => token === "token-2"

describe("fetch of a client", () => {
  it.live("a request to the server carries the token, also if fetch is detached", () =>
    Effect.gen(function* () {
      const { client, server, url } = yield* makeProtected()
      const { fetch } = client
      assert.strictEqual(yield* Effect.promise(async () => tokenIn(await fetch(url, rpc))), "token-1")
      assert.strictEqual(
        yield* Effect.promise(async () => tokenIn(await fetch(new URL(url), rpc))),
        "token-1"
      )
      const request = new Request(url, rpc)
      assert.strictEqual(yield* Effect.promise(async () => tokenIn(await fetch(request))), "token-1")
      const sent = yield* server.requestsTo("/mcp")
      for (const { body, headers, method } of sent) {
        assert.deepStrictEqual([method, body], ["POST", rpc.body])
        assert.strictEqual(headers["content-type"], "application/json")
        assert.strictEqual(headers["content-length"], String(rpc.body.length))
      }
      assert.lengthOf(yield* server.requestsTo("/token"), 1)
    })
  )

  it.live("the answer is a Response of the platform, with its URL", () =>
    Effect.gen(function* () {
      const { client, url } = yield* makeProtected()
      const response = yield* Effect.promise(() => client.fetch(url, rpc))
      assert.instanceOf(response, Response)
      assert.strictEqual(response.url, url)
      yield* Effect.promise(() => response.text())
    })
  )

  it.live("a request to another origin is sent as it is", () =>
    Effect.gen(function* () {
      const { client } = yield* makeProtected()
      const other = yield* StubAuthorizationServer.make()
      yield* other.always("/mcp", ProviderBehaviour.protectsResource({ open: () => true }))
      const response = yield* Effect.promise(() => client.fetch(other.endpoint("/mcp"), rpc))
      assert.strictEqual(yield* Effect.promise(() => tokenIn(response)), "none")
      assert.lengthOf(yield* other.requests, 1)
    })
  )

  it.live("another path of the origin gets the token, which stands in place of a header of the caller", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makeProtected()
      yield* server.always("/other", ProviderBehaviour.protectsResource())
      const headers = { authorization: "Bearer theirs" }
      const response = yield* Effect.promise(() => client.fetch(server.endpoint("/other"), { headers }))
      assert.strictEqual(yield* Effect.promise(() => tokenIn(response)), "token-1")
    })
  )

  const form = new FormData()
  form.set("a", "1")
  it.live.each([
    ["without a body", null],
    ["of text", "{}"],
    ["of bytes", new TextEncoder().encode("{}")],
    ["of a form", new URLSearchParams({ a: "1" })],
    ["of form data", form],
    ["of a blob", new Blob(["{}"])]
  ] as const)("a request %s is repeated once with a new token after a 401", ([, body]) =>
    Effect.gen(function* () {
      const { client, server, url } = yield* makeProtected()
      yield* server.enqueue("/mcp", Answer.status(401))
      yield* server.always("/mcp", Answer.json({ result: { token: "any" } }))
      const init = body === null ? {} : { method: "POST", body }
      const response = yield* Effect.promise(() => client.fetch(url, init))
      assert.strictEqual(response.status, 200)
      const [first, second, ...more] = yield* server.requestsTo("/mcp")
      assert.isEmpty(more)
      assert.strictEqual(first?.headers.authorization, "Bearer token-1")
      assert.strictEqual(second?.headers.authorization, "Bearer token-2")
      assert.strictEqual(first?.body, second?.body)
      assert.strictEqual(first?.headers["content-type"], second?.headers["content-type"])
    })
  )

  it.live("a Request with a body is repeated after a 401", () =>
    Effect.gen(function* () {
      const { client, server, url } = yield* makeProtected(secondOnly)
      const response = yield* Effect.promise(() => client.fetch(new Request(url, rpc)))
      assert.strictEqual(yield* Effect.promise(() => tokenIn(response)), "token-2")
      const bodies = (yield* server.requestsTo("/mcp")).map(({ body }) => body)
      assert.deepStrictEqual(bodies, [rpc.body, rpc.body])
    })
  )

  it.live(
    "a stream is not sent again: its answer is the refusal, and the next request has the new token",
    () =>
      Effect.gen(function* () {
        const { client, server, url } = yield* makeProtected(secondOnly)
        const stream = () => new Blob([rpc.body]).stream()
        const init = () => ({ method: "POST", body: stream(), duplex: "half" as const })
        const refusal = yield* Effect.promise(() => client.fetch(url, init()))
        assert.strictEqual(refusal.status, 401)
        yield* Effect.promise(() => refusal.text())
        const response = yield* Effect.promise(() => client.fetch(url, init()))
        assert.strictEqual(yield* Effect.promise(() => tokenIn(response)), "token-2")
        assert.lengthOf(yield* server.requestsTo("/mcp"), 2)
      })
  )

  it.live("a server that refuses the new token, too, is an error", () =>
    Effect.gen(function* () {
      const { client, server, url } = yield* makeProtected(() => false)
      const error = yield* errorOf(() => client.fetch(url, rpc))
      assert.strictEqual(error.reason, "UpstreamUnauthorized")
      assert.lengthOf(yield* server.requestsTo("/mcp"), 2)
    })
  )

  it.live("after a 403 with insufficient_scope more scope is requested", () =>
    Effect.gen(function* () {
      const { client, server, url } = yield* makeProtected()
      const challenge = 'Bearer error="insufficient_scope", scope="mcp:write"'
      yield* server.enqueue(
        "/mcp",
        Answer.json({}, { status: 403, headers: { "www-authenticate": challenge } })
      )
      const response = yield* Effect.promise(() => client.fetch(url, rpc))
      assert.strictEqual(yield* Effect.promise(() => tokenIn(response)), "token-2")
      const [, stepUp] = yield* server.requestsTo("/token")
      assert.strictEqual(stepUp?.form.get("scope"), "mcp:write")
    })
  )

  it.live("any other answer is given as it is", () =>
    Effect.gen(function* () {
      const { client, server, url } = yield* makeProtected()
      yield* server.enqueue("/mcp", Answer.status(403), Answer.status(500))
      assert.strictEqual((yield* Effect.promise(() => client.fetch(url, rpc))).status, 403)
      assert.strictEqual((yield* Effect.promise(() => client.fetch(url, rpc))).status, 500)
      assert.lengthOf(yield* server.requestsTo("/token"), 1)
    })
  )

  it.live("a 401 that is about a forgotten session gives its answer, and the token stays", () =>
    Effect.gen(function* () {
      const { client, server, url } = yield* makeProtected()
      yield* server.enqueue("/mcp", Answer.json({ error: "Session not found" }, { status: 401 }))
      const headers = { ...rpc.headers, "mcp-session-id": "forgotten" }
      const response = yield* Effect.promise(() => client.fetch(url, { ...rpc, headers }))
      assert.strictEqual(response.status, 401)
      assert.deepStrictEqual(yield* Effect.promise(() => response.json()), { error: "Session not found" })
      assert.lengthOf(yield* server.requestsTo("/token"), 1)
    })
  )
})

describe("redirects of the MCP server", () => {
  it.live("a redirect within the origin is followed once, with the token", () =>
    Effect.gen(function* () {
      const { client, server, url } = yield* makeProtected()
      yield* server.enqueue("/mcp", Answer.redirect("/moved", 308))
      yield* server.always("/moved", ProviderBehaviour.protectsResource())
      const response = yield* Effect.promise(() => client.fetch(url, rpc))
      assert.strictEqual(yield* Effect.promise(() => tokenIn(response)), "token-1")
    })
  )

  it.live("a redirect to another origin is an error, and nothing is sent there", () =>
    Effect.gen(function* () {
      const { client, server, url } = yield* makeProtected()
      const other = yield* StubAuthorizationServer.make()
      yield* server.enqueue("/mcp", Answer.redirect(other.endpoint("/mcp"), 307))
      const error = yield* errorOf(() => client.fetch(url, rpc))
      assert.strictEqual(error.reason, "RedirectRefused")
      assert.include(error.message, "configure that address as its `serverUrl`")
      assert.isString(error.correlationId)
      assert.lengthOf(yield* other.requests, 0)
    })
  )

  it.live('redirect: "manual" gives the redirect, and redirect: "error" fails as fetch does', () =>
    Effect.gen(function* () {
      const { client, server, url } = yield* makeProtected()
      yield* server.always("/mcp", Answer.redirect("/moved", 307))
      const response = yield* Effect.promise(() => client.fetch(url, { ...rpc, redirect: "manual" }))
      assert.deepStrictEqual([response.status, response.headers.get("location")], [307, "/moved"])
      assert.instanceOf(yield* thrownBy(() => client.fetch(url, { ...rpc, redirect: "error" })), TypeError)
    })
  )
})

describe("a fetch that fails", () => {
  it.live("a server that is away fails as fetch does", () =>
    Effect.gen(function* () {
      const { options } = yield* makeServers
      const port = yield* refusedPort
      const client = yield* makeClient({ ...options, serverUrl: `http://127.0.0.1:${port}/mcp` })
      const error = yield* thrownBy(() => client.fetch(`http://127.0.0.1:${port}/mcp`))
      assert.instanceOf(error, TypeError)
      assert.strictEqual(Object(Object(error).cause).code, "ECONNREFUSED")
    })
  )

  it.live("a signal ends the request with its own reason, as it ends fetch", () =>
    Effect.gen(function* () {
      const { client, server, url } = yield* makeProtected()
      yield* server.always("/mcp", Answer.hang)
      const controller = new AbortController()
      const waiting = client.fetch(url, { ...rpc, signal: controller.signal })
      waiting.catch(() => undefined)
      yield* server.received(1, "/mcp")
      controller.abort()
      assert.strictEqual(yield* thrownBy(() => waiting), controller.signal.reason)
      yield* server.aborted(1)
    })
  )

  it("an address that is no URL fails as fetch does", async () => {
    const client = createOAuthClient({
      serverUrl: "https://mcp.example.com/mcp",
      client_id: "a",
      client_secret: "b"
    })
    await client.fetch("/mcp").then(
      () => assert.fail("it was sent"),
      (error: unknown) => assert.instanceOf(error, TypeError)
    )
  })
})
