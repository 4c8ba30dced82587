import { assert, describe, it } from "@effect/vitest"
import { Answer, assertNoCanary, canary } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { failureIn, ping, type RawRequest, rpc, send, serveRaw } from "./RawHttp.ts"
import { startGateway, startTokenEndpoint } from "./RunningGateway.ts"

/** A gateway whose token endpoint does what the test says, before a server that counts. */
const startWithout = Effect.fnUntraced(function* (answer: Answer, tokenPath = "/token") {
  const tokenEndpoint = yield* startTokenEndpoint
  yield* tokenEndpoint.always(tokenPath, answer)
  let contacts = 0
  const upstream = yield* serveRaw((_request, response) => {
    contacts += 1
    response.end()
  })
  upstream.server.on("connection", () => (contacts += 1))
  const secret = canary("client-secret")
  const gateway = yield* startGateway({
    servers: [
      {
        server_name: "raw",
        config: { url: upstream.url },
        oauth: {
          ...tokenEndpoint.oauth,
          token_url: tokenEndpoint.endpoint(tokenPath),
          client_secret: secret
        }
      }
    ]
  })
  return { contacts: () => contacts, gateway, secret, tokenEndpoint, url: gateway.mcp("raw") }
})

const invalidClient = Answer.json(
  { error: "invalid_client", error_description: "no such client" },
  { status: 401, headers: { "www-authenticate": "Basic" } }
)

describe("without a token", () => {
  it.effect("an error of a server that looks like a known provider names the provider", () =>
    Effect.gen(function* () {
      const { url } = yield* startWithout(invalidClient, "/realms/mcp/protocol/openid-connect/token")
      const { error } = failureIn(yield* send(url, ping))
      assert.include(
        error.message,
        'This looks like Keycloak: `"provider": "keycloak"` registers without `scope`'
      )
    })
  )

  it.effect("without a token the client gets a JSON-RPC error and the server is not contacted", () =>
    Effect.gen(function* () {
      const { contacts, gateway, secret, tokenEndpoint, url } = yield* startWithout(invalidClient)
      const answer = yield* send(url, ping)
      const [tokenRequest] = yield* tokenEndpoint.requests
      assert.strictEqual(answer.status, 502)
      assert.strictEqual(answer.headers["content-type"], "application/json")
      assert.notProperty(answer.headers, "www-authenticate")
      const { error, ...envelope } = failureIn(answer)
      assert.deepStrictEqual(envelope, { jsonrpc: "2.0", id: 1 })
      assert.strictEqual(error.code, -31001)
      assert.deepStrictEqual(error.data, {
        reason: "RequestRefused",
        server_name: "raw",
        correlation_id: String(tokenRequest?.headers["x-correlation-id"])
      })
      assert.match(error.data.correlation_id, /^[\da-f-]{36}$/)
      for (const part of ["raw", "invalid_client", "no such client", error.data.correlation_id]) {
        assert.include(error.message, part)
      }
      assert.include(gateway.logs.join(), error.data.correlation_id)
      assertNoCanary([answer.body.toString(), gateway.logs], secret)
      assert.strictEqual(contacts(), 0)
    })
  )

  const ids: ReadonlyArray<readonly [what: string, request: RawRequest, id: unknown]> = [
    ["a request with a number", rpc({ jsonrpc: "2.0", id: 7, method: "ping" }), 7],
    ["a request with zero", rpc({ jsonrpc: "2.0", id: 0, method: "ping" }), 0],
    ["a request with a string", rpc({ jsonrpc: "2.0", id: "seven", method: "ping" }), "seven"],
    ["a notification", rpc({ jsonrpc: "2.0", method: "notifications/initialized" }), null],
    ["a batch", rpc([{ jsonrpc: "2.0", id: 7, method: "ping" }]), null],
    ["a body that is not JSON", { method: "POST", body: '{"id":7,' }, null],
    ["a body of a JSON null", { method: "POST", body: "null" }, null],
    ["no body", { method: "POST" }, null],
    ["a GET", { headers: { accept: "text/event-stream" } }, null],
    ["a DELETE", { method: "DELETE" }, null]
  ]
  it.effect("the error without a token names the id of its request, or null", () =>
    Effect.gen(function* () {
      const { contacts, url } = yield* startWithout(invalidClient)
      for (const [what, request, id] of ids) {
        const answer = yield* send(url, request)
        assert.strictEqual(answer.status, 502, what)
        assert.strictEqual(failureIn(answer).id, id, what)
        assert.strictEqual(failureIn(answer).error.data.reason, "RequestRefused", what)
      }
      assert.strictEqual(contacts(), 0)
    })
  )

  it.effect("clients that wait for one token request get the correlation id of that request", () =>
    Effect.gen(function* () {
      const { tokenEndpoint, url } = yield* startWithout(invalidClient)
      const answers = yield* Effect.all(
        Array.from({ length: 20 }, () => send(url, ping)),
        { concurrency: "unbounded" }
      )
      const told = new Set(answers.map((answer) => failureIn(answer).error.data.correlation_id))
      const sent = new Set((yield* tokenEndpoint.requests).map(({ headers }) => headers["x-correlation-id"]))
      assert.deepStrictEqual(told, sent)
    })
  )

  it.effect("the client is told after which time to retry", () =>
    Effect.gen(function* () {
      const { url } = yield* startWithout(Answer.status(503, { retryAfter: 90 }))
      const answer = yield* send(url, ping)
      assert.strictEqual(answer.status, 502)
      assert.strictEqual(answer.headers["retry-after"], "90")
      assert.strictEqual(failureIn(answer).error.data.reason, "EndpointUnavailable")
    })
  )

  it.effect("an open circuit is answered with 503 and sends nothing to the token endpoint", () =>
    Effect.gen(function* () {
      // More than 30 s: the first answer is final, and no time has to pass.
      const { contacts, tokenEndpoint, url } = yield* startWithout(Answer.status(503, { retryAfter: 90 }))
      const statuses: Array<number> = []
      let answer = yield* send(url, ping)
      while (answer.status === 502) {
        statuses.push(answer.status)
        answer = yield* send(url, ping)
      }
      const asked = yield* tokenEndpoint.requests
      assert.strictEqual(answer.status, 503)
      assert.lengthOf(statuses, asked.length)
      assert.strictEqual(failureIn(answer).error.data.reason, "CircuitOpen")
      assert.strictEqual(failureIn(answer).id, 1)
      assert.strictEqual(answer.headers["retry-after"], "90")
      assert.strictEqual((yield* send(url, ping)).status, 503)
      assert.lengthOf(yield* tokenEndpoint.requests, asked.length)
      assert.strictEqual(contacts(), 0)
    })
  )
})
