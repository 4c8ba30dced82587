import { assert, describe, it } from "@effect/vitest"
import { OAuthClientError } from "@secure-mcp/oauth-client"
import { Answer, assertNoCanary, canary } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { errorOf, makeClient, makeServers } from "./Servers.ts"

describe("the access token of a client", () => {
  it.live("a token is obtained once, however many ask for it, and then held", () =>
    Effect.gen(function* () {
      const { options, server } = yield* makeServers
      const client = yield* makeClient(options)
      const tokens = yield* Effect.promise(() =>
        Promise.all(Array.from({ length: 20 }, () => client.getAccessToken()))
      )
      assert.deepStrictEqual([...new Set(tokens)], ["token-1"])
      assert.strictEqual(yield* Effect.promise(() => client.getAccessToken()), "token-1")
      assert.lengthOf(yield* server.requests, 1)
    })
  )

  it.live("forceRefresh obtains another token although one is held", () =>
    Effect.gen(function* () {
      const { options } = yield* makeServers
      const client = yield* makeClient(options)
      const tokens = yield* Effect.promise(async () => [
        await client.getAccessToken(),
        await client.getAccessToken({ forceRefresh: true }),
        await client.getAccessToken()
      ])
      assert.deepStrictEqual(tokens, ["token-1", "token-2", "token-2"])
    })
  )

  it.live("a refusal of the authorization server is an error with a reason, which no secret is in", () =>
    Effect.gen(function* () {
      const { options, server } = yield* makeServers
      const secret = canary("client-secret")
      yield* server.always("/token", Answer.json({ error: "invalid_client" }, { status: 401 }))
      const client = yield* makeClient({ ...options, client_secret: secret })
      const error = yield* errorOf(() => client.getAccessToken())
      assert.instanceOf(error, Error)
      assert.strictEqual(error.name, "OAuthClientError")
      assert.strictEqual(error.reason, "RequestRefused")
      assert.isFalse(error.retryable)
      assert.include(error.message, "Check `client_id`, `client_secret`")
      assert.match(error.correlationId ?? "", /^[\da-f-]{36}$/)
      assert.include(error.message, String(error.correlationId))
      assert.isDefined(error.cause)
      assertNoCanary({ error, message: error.message, stack: error.stack, cause: error.cause }, [secret])
    })
  )

  it.live("an outage of the authorization server is an error that says that another try may help", () =>
    Effect.gen(function* () {
      const { options, server } = yield* makeServers
      yield* server.enqueue("/token", Answer.status(503, { retryAfter: 3600 }))
      const client = yield* makeClient(options)
      const error = yield* errorOf(() => client.getAccessToken())
      assert.deepStrictEqual([error.reason, error.retryable], ["EndpointUnavailable", true])
      assert.strictEqual(yield* Effect.promise(() => client.getAccessToken()), "token-1")
    })
  )

  it.live("a signal that times out has its own name in the error", () =>
    Effect.gen(function* () {
      const { options, server } = yield* makeServers
      yield* server.always("/token", Answer.hang)
      const client = yield* makeClient(options)
      const error = yield* errorOf(() => client.getAccessToken({ signal: AbortSignal.timeout(50) }))
      assert.deepStrictEqual([error.reason, error.name], ["Aborted", "TimeoutError"])
    })
  )

  it.live("a signal ends the wait, and its request where nobody else waits for it", () =>
    Effect.gen(function* () {
      const { options, server } = yield* makeServers
      yield* server.always("/token", Answer.hang)
      const client = yield* makeClient(options)
      const controller = new AbortController()
      const waiting = client.getAccessToken({ signal: controller.signal })
      yield* server.received(1)
      controller.abort()
      const error = yield* errorOf(() => waiting)
      assert.deepStrictEqual([error.reason, error.name], ["Aborted", "AbortError"])
      assert.strictEqual(error.cause, controller.signal.reason)
      yield* server.aborted(1)
    })
  )

  it.live("a signal that is aborted already begins nothing, also where a token is held", () =>
    Effect.gen(function* () {
      const { options, server } = yield* makeServers
      const client = yield* makeClient(options)
      const signal = AbortSignal.abort()
      assert.strictEqual((yield* errorOf(() => client.getAccessToken({ signal }))).reason, "Aborted")
      assert.lengthOf(yield* server.requests, 0)
      yield* Effect.promise(() => client.getAccessToken())
      const calls = [
        () => client.getAccessToken({ signal }),
        () => client.invalidate({ signal }),
        () => client.revoke({ signal }),
        () => client.authorize({ signal }),
        () => client.complete("http://127.0.0.1/?code=1", { signal }),
        () => client.authorizeDevice({ signal }),
        () => client.metrics({ signal })
      ]
      for (const call of calls) assert.strictEqual((yield* errorOf(call)).reason, "Aborted")
      assert.lengthOf(yield* server.requests, 1)
    })
  )

  it.live("an invalidated token is not given again", () =>
    Effect.gen(function* () {
      const { options } = yield* makeServers
      const client = yield* makeClient(options)
      yield* Effect.promise(() => client.getAccessToken())
      yield* Effect.promise(() => client.invalidate())
      assert.strictEqual(yield* Effect.promise(() => client.getAccessToken()), "token-2")
    })
  )

  it.live("revoke tells the authorization server, and says so", () =>
    Effect.gen(function* () {
      const { options, server } = yield* makeServers
      yield* server.always("/revoke", Answer.status(200))
      const client = yield* makeClient({ ...options, revocation_url: server.endpoint("/revoke") })
      assert.isUndefined(yield* Effect.promise(() => client.revoke()))
      yield* Effect.promise(() => client.getAccessToken())
      assert.strictEqual(yield* Effect.promise(() => client.revoke()), "Revoked")
      const [revocation] = yield* server.requestsTo("/revoke")
      assert.strictEqual(revocation?.form.get("token"), "token-1")
      assert.strictEqual(yield* Effect.promise(() => client.getAccessToken()), "token-2")
    })
  )
})

describe("a closed client", () => {
  it.live("a closed client refuses every call, and ends those under way", () =>
    Effect.gen(function* () {
      const { options, server } = yield* makeServers
      const client = yield* makeClient(options)
      yield* Effect.promise(() => client.getAccessToken())
      yield* server.always("/token", Answer.hang)
      const waiting = errorOf(() => client.getAccessToken({ forceRefresh: true }))
      const ended = yield* Effect.forkChild(waiting)
      yield* server.received(2)
      yield* Effect.promise(() => client.close())
      assert.strictEqual((yield* Fiber.join(ended)).reason, "Closed")
      for (const call of [() => client.getAccessToken(), () => client.fetch(options.serverUrl)])
        assert.strictEqual((yield* errorOf(call)).reason, "Closed")
      yield* Effect.promise(() => client.close())
    })
  )

  it.live("await using closes the client", () =>
    Effect.gen(function* () {
      const { options } = yield* makeServers
      const client = yield* makeClient(options)
      yield* Effect.promise(async () => {
        await using used = client
        await used.getAccessToken()
      })
      const error = yield* errorOf(() => client.getAccessToken())
      assert.instanceOf(error, OAuthClientError)
      assert.strictEqual(error.reason, "Closed")
    })
  )
})

describe("what a client tells", () => {
  it.live("metrics count what has happened", () =>
    Effect.gen(function* () {
      const { options } = yield* makeServers
      const client = yield* makeClient(options)
      yield* Effect.promise(() => client.getAccessToken())
      yield* Effect.promise(() => client.getAccessToken())
      const metrics = yield* Effect.promise(() => client.metrics())
      assert.deepInclude(metrics, {
        token_acquisitions_success: 1,
        token_cache_hits: 1,
        token_cache_misses: 1,
        active_tokens: 1
      })
    })
  )

  it.live("listeners get events until they stop, and one that fails hurts nobody", () =>
    Effect.gen(function* () {
      const { options, server } = yield* makeServers
      const client = yield* makeClient(options)
      const host = new URL(server.url).host
      const seen: Array<unknown> = []
      client.on("TokenAcquired", () => {
        throw new Error("a listener that fails")
      })
      client.on("TokenAcquired", ({ durationMs, ...event }) => {
        assert.isAbove(durationMs, 0)
        seen.push(event)
      })
      client.on("TokenInvalidated", (event) => seen.push(event))
      const stop = client.on("CacheHit", (event) => seen.push(event))
      yield* Effect.promise(async () => {
        await client.getAccessToken()
        await client.getAccessToken()
        stop()
        await client.getAccessToken()
        await client.invalidate()
      })
      assert.deepStrictEqual(seen, [
        { type: "TokenAcquired", serverName: host, refresh: false },
        { type: "CacheHit", serverName: host },
        { type: "TokenInvalidated", serverName: host }
      ])
    })
  )

  it.live("a logger gets entries with what they are about, and one that fails hurts nobody", () =>
    Effect.gen(function* () {
      const { options, server } = yield* makeServers
      yield* server.enqueue("/token", Answer.status(503))
      const entries: Array<readonly [string, Readonly<Record<string, unknown>>]> = []
      const controller = new AbortController()
      const warn = (message: string, details: Readonly<Record<string, unknown>>) => {
        entries.push([message, details])
        controller.abort()
        throw new Error("a logger that fails")
      }
      const client = yield* makeClient({ ...options, logger: { warn } })
      const error = yield* errorOf(() => client.getAccessToken({ signal: controller.signal }))
      assert.strictEqual(error.reason, "Aborted")
      const [[message, details] = ["", {}]] = entries
      assert.include(message, "503")
      assert.strictEqual(details["server_name"], new URL(server.url).host)
      assert.isString(details["correlation_id"])
    })
  )
})
