import { EchoServer } from "@secure-mcp/echo-server"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import type { IncomingMessage, RequestListener } from "node:http"
import { buffer } from "node:stream/consumers"
import { connect, echo } from "../http/McpClient.ts"
import { failureIn, ping, send, serveRaw } from "../http/RawHttp.ts"
import {
  oauthAt,
  startAuthorizationServer,
  startGateway,
  startTokenEndpoint
} from "../http/RunningGateway.ts"

/** A gateway before an upstream of the test's own, with a token for it and without. */
const startBefore = Effect.fnUntraced(function* (listener: RequestListener) {
  const tokenEndpoint = yield* startTokenEndpoint
  const requests: Array<IncomingMessage> = []
  const upstream = yield* serveRaw((request, response) => {
    requests.push(request)
    listener(request, response)
  })
  const config = { url: upstream.url }
  const gateway = yield* startGateway({
    servers: [
      { server_name: "with-token", config, oauth: tokenEndpoint.oauth },
      { server_name: "without-token", config }
    ]
  })
  return { gateway, requests, tokenEndpoint, url: gateway.mcp("with-token") }
})

const refuse: RequestListener = (request, response) => {
  request.resume().on("end", () => {
    response.writeHead(401, { "www-authenticate": 'Bearer realm="upstream"' }).end("who are you")
  })
}

describe("a token that the server refuses", () => {
  it.effect("a refused token is replaced once for all requests, without any client noticing", () =>
    Effect.gen(function* () {
      const authorizationServer = yield* startAuthorizationServer
      const echoServer = yield* EchoServer.make({
        authorize: (authorization) =>
          Effect.map(
            authorizationServer.verify(authorization ? Redacted.value(authorization).slice(7) : ""),
            ({ active }) => active
          )
      })
      const gateway = yield* startGateway({
        servers: [
          {
            server_name: "echo",
            config: { url: echoServer.url },
            oauth: oauthAt(authorizationServer.tokenEndpoint)
          }
        ]
      })
      const { client } = yield* connect(gateway.mcp("echo"), "2026-07-28")
      const before = yield* echo(client)
      yield* authorizationServer.revokeAccessTokens
      const texts = yield* Effect.all(
        Array.from({ length: 20 }, () => echo(client)),
        { concurrency: "unbounded" }
      )
      const [after, ...others] = new Set(texts)
      assert.isEmpty(others)
      assert.notStrictEqual(after, before)
      assert.lengthOf(yield* authorizationServer.tokenRequests, 2)
      const refused = (yield* echoServer.requests).filter(({ status }) => status === 401)
      assert.isNotEmpty(refused)
    })
  )

  it.effect("a 401 that is about a forgotten session reaches the client, and the token is kept", () =>
    Effect.gen(function* () {
      const { requests, tokenEndpoint, url } = yield* startBefore((_request, response) => {
        response.writeHead(401, { "content-type": "text/plain" }).end("Unauthorized: Session not found")
      })
      const answer = yield* send(url, { ...ping, headers: { ...ping.headers, "mcp-session-id": "old" } })
      assert.strictEqual(answer.status, 401)
      assert.strictEqual(answer.body.toString(), "Unauthorized: Session not found")
      assert.lengthOf(requests, 1)
      assert.lengthOf(yield* tokenEndpoint.requests, 1)
    })
  )

  it.effect("a refused token is replaced and the whole request repeated", () =>
    Effect.gen(function* () {
      const bodies: Array<Buffer> = []
      const { requests, url } = yield* startBefore(async (request, response) => {
        bodies.push(await buffer(request))
        response.writeHead(request.headers.authorization === "Bearer token-1" ? 401 : 200).end("fine")
      })
      const body = Buffer.alloc(4 * 1024 * 1024, "m")
      const answer = yield* send(url, { method: "POST", headers: { "mcp-session-id": "session-7" }, body })
      assert.strictEqual(answer.status, 200)
      assert.deepStrictEqual(
        requests.map(({ headers }) => [headers.authorization, headers["mcp-session-id"]]),
        [
          ["Bearer token-1", "session-7"],
          ["Bearer token-2", "session-7"]
        ]
      )
      assert.isTrue(bodies.every((received) => received.equals(body)))
    })
  )

  it.effect("a token refused for 20 requests is refreshed once", () =>
    Effect.gen(function* () {
      const held: Array<() => void> = []
      const { requests, tokenEndpoint, url } = yield* startBefore((request, response) => {
        if (request.headers.authorization !== "Bearer token-1") return void response.end("fine")
        held.push(() => response.writeHead(401).end())
        if (held.length === 20) for (const answer of held) answer()
      })
      const answers = yield* Effect.all(
        Array.from({ length: 20 }, () => send(url, ping)),
        { concurrency: "unbounded" }
      )
      assert.isTrue(answers.every(({ status }) => status === 200))
      assert.lengthOf(requests, 40)
      assert.lengthOf(yield* tokenEndpoint.requests, 2)
    })
  )

  it.effect("a second refusal, of a fresh token, is an error of the gateway after one repeat", () =>
    Effect.gen(function* () {
      const { gateway, requests, tokenEndpoint, url } = yield* startBefore(refuse)
      const answer = yield* send(url, ping)
      assert.strictEqual(answer.status, 502)
      assert.notProperty(answer.headers, "www-authenticate")
      const { error, id } = failureIn(answer)
      assert.strictEqual(id, 1)
      assert.strictEqual(error.code, -31001)
      assert.deepInclude(error.data, { reason: "UpstreamUnauthorized", server_name: "with-token" })
      assert.lengthOf(requests, 2)
      assert.lengthOf(yield* tokenEndpoint.requests, 2)
      assert.notInclude(gateway.logs.join(), "token-2")
    })
  )

  it.effect("a server that refuses everything does not have a token requested with each request", () =>
    Effect.gen(function* () {
      const { tokenEndpoint, url } = yield* startBefore(refuse)
      for (let count = 0; count < 10; count += 1) {
        const answer = yield* send(url, ping)
        assert.strictEqual(failureIn(answer).error.data.reason, "UpstreamUnauthorized")
      }
      assert.lengthOf(yield* tokenEndpoint.requests, 2)
      yield* TestClock.adjust("30 seconds")
      yield* send(url, ping)
      assert.lengthOf(yield* tokenEndpoint.requests, 3)
    })
  )

  it.effect("a token refused with a long answer is replaced, too", () =>
    Effect.gen(function* () {
      const { url } = yield* startBefore((request, response) => {
        if (request.headers.authorization === "Bearer token-1")
          response.writeHead(401).end(Buffer.alloc(1 << 20))
        else response.end("fine")
      })
      assert.strictEqual((yield* send(url, ping)).body.toString(), "fine")
    })
  )

  it.effect("a token refused during a GET is replaced before the event stream opens", () =>
    Effect.gen(function* () {
      const { url } = yield* startBefore((request, response) => {
        const refused = request.headers.authorization === "Bearer token-1"
        response.writeHead(refused ? 401 : 200, { "content-type": "text/event-stream" }).end("data: 1\n\n")
      })
      assert.strictEqual((yield* send(url)).body.toString(), "data: 1\n\n")
    })
  )

  it.effect("a refusal by a server without oauth is passed on unchanged", () =>
    Effect.gen(function* () {
      const { gateway, requests, tokenEndpoint } = yield* startBefore(refuse)
      const answer = yield* send(gateway.mcp("without-token"), ping)
      assert.strictEqual(answer.status, 401)
      assert.strictEqual(answer.headers["www-authenticate"], 'Bearer realm="upstream"')
      assert.strictEqual(answer.body.toString(), "who are you")
      assert.lengthOf(requests, 1)
      assert.isEmpty(yield* tokenEndpoint.requests)
    })
  )
})

describe("a refused request that is too long to keep", () => {
  const long = { method: "POST", body: Buffer.alloc(5 * 1024 * 1024, "m") }

  it.effect("a request too large to buffer is not repeated, but its refused token is replaced", () =>
    Effect.gen(function* () {
      const { requests, tokenEndpoint, url } = yield* startBefore((request, response) => {
        request.resume().on("end", () => {
          response.writeHead(request.headers.authorization === "Bearer token-1" ? 401 : 200).end("fine")
        })
      })
      const answer = yield* send(url, long)
      assert.strictEqual(answer.status, 502)
      assert.strictEqual(failureIn(answer).error.data.reason, "UpstreamUnauthorized")
      assert.lengthOf(requests, 1)
      assert.lengthOf(yield* tokenEndpoint.requests, 2)
      assert.strictEqual((yield* send(url, long)).status, 200)
      assert.lengthOf(yield* tokenEndpoint.requests, 2)
    })
  )

  it.effect("a request too large to buffer gets the server's 403 after one more token request", () =>
    Effect.gen(function* () {
      const { requests, tokenEndpoint, url } = yield* startBefore((request, response) => {
        request.resume().on("end", () => {
          response
            .writeHead(403, { "www-authenticate": 'Bearer error="insufficient_scope", scope="mcp:write"' })
            .end()
        })
      })
      const answer = yield* send(url, long)
      assert.strictEqual(answer.status, 502)
      const { data, message } = failureIn(answer).error
      assert.strictEqual(data.reason, "UpstreamUnauthorized")
      assert.include(message, "refused the access token with HTTP 403, and the request cannot be repeated")
      assert.notInclude(message, "fresh token")
      assert.lengthOf(requests, 1)
      assert.lengthOf(yield* tokenEndpoint.requests, 2)
    })
  )

  it.effect("a request too large to buffer is answered though the server hangs up before its end", () =>
    Effect.gen(function* () {
      const { requests, url } = yield* startBefore((request, response) => {
        response.writeHead(401, { connection: "close" }).end(() => request.socket.end())
      })
      const answer = yield* send(url, { ...long, body: Buffer.alloc(32 * 1024 * 1024, "m") })
      assert.strictEqual(answer.status, 502)
      assert.strictEqual(failureIn(answer).error.data.reason, "UpstreamUnauthorized")
      assert.lengthOf(requests, 1)
    })
  )
})
