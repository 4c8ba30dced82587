import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { decodeGatewayConfig, gatewayServices } from "@secure-mcp/gateway-server"
import { ClientCertificates } from "@secure-mcp/mtls"
import { Answer, refusedPort, startConnectProxy, StubAuthorizationServer } from "@secure-mcp/testing"
import type { HttpServerEntry } from "@secure-mcp/transport-injection"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type { ServerResponse } from "node:http"
import type { Socket } from "node:net"
import { gzipSync } from "node:zlib"
import { accessTokenRequest } from "../../../../packages/gateway-server/src/upstream/Servers.ts"
import { readText } from "../../../../packages/gateway-server/src/fetch/AnswerBody.ts"
import type { FetchRequest } from "../../../../packages/gateway-server/src/fetch/Fetch.ts"
import { makeUpstreamFetch } from "../../../../packages/gateway-server/src/upstream/UpstreamFetch.ts"
import { makeCertificates, untilReloaded } from "./CertifiedServers.ts"
import { serveRaw } from "../http/RawHttp.ts"
import { oauthAt, startTokenEndpoint } from "../http/RunningGateway.ts"

const makeFetch = Effect.fnUntraced(function* (url: string, oauth: object, keys: object = {}) {
  const config = yield* Effect.fromResult(
    decodeGatewayConfig({ servers: [{ server_name: "remote", config: { url }, oauth, ...keys }] })
  )
  const entry = config.servers.find((one): one is HttpServerEntry => one._tag === "Http")
  assert.isDefined(entry)
  const logs: Array<string> = []
  const recorder = Logger.make(({ message }) => {
    logs.push(String(message))
  })
  const fetchWith = yield* makeUpstreamFetch(entry).pipe(
    Effect.provide(
      yield* Layer.build(
        gatewayServices(config).pipe(
          Layer.provideMerge(ClientCertificates.layer),
          Layer.provide(Logger.layer([recorder])),
          Layer.provide(NodeServices.layer)
        )
      )
    )
  )
  const fetch = fetchWith(accessTokenRequest(entry, config, undefined))
  const send = (request: FetchRequest) => Effect.scoped(fetch(request))
  return { fetch: send(post), send, now: fetch.now, logs }
})

const post: FetchRequest = { method: "POST", headers: {}, body: "{}" }

/** What a request comes to that is sent without a fiber: a text, or the text that is read when that goes on. */
const sendNow = ({ now }: Effect.Success<ReturnType<typeof makeFetch>>) =>
  Effect.gen(function* () {
    type Answer = Parameters<Parameters<NonNullable<typeof now>>[1]>[0]
    const answer = yield* Effect.callback<Answer | undefined>((resume) => {
      if (now?.(post, (given) => resume(Effect.succeed(given))) === undefined) resume(Effect.undefined)
    })
    if (answer === undefined) return "nothing was sent"
    if (!Effect.isEffect(answer)) return { text: answer.text }
    return { later: yield* Effect.flatMap(answer, (response) => readText(response, 1_000_000)) }
  }).pipe(Effect.scoped)

describe("the fetch of the stdio relay", () => {
  it.effect("each fetch uses the connections of the current certificate", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const { authority, caBundlePath, issue } = yield* makeCertificates
      const { certificatePem: cert, privateKeyPem: key } = yield* authority.issueServer()
      const server = yield* StubAuthorizationServer.make({
        tls: { cert, key, ca: authority.certificatePem, requireClientCertificate: true }
      })
      yield* server.always("/token", Answer.token())
      yield* server.always("/mcp", Answer.json({}))
      const first = yield* issue("first")
      const second = yield* issue("second")
      const { fetch, logs } = yield* makeFetch(server.endpoint("/mcp"), {
        ...oauthAt(server.endpoint("/token")),
        ...first.keys,
        enforce_https: true,
        ca_bundle_path: caBundlePath
      })
      assert.strictEqual((yield* fetch).status, 200)
      yield* files.writeFileString(first.keys.client_cert_path, second.certificatePem)
      yield* files.writeFileString(first.keys.client_key_path, second.privateKeyPem)
      yield* untilReloaded(logs)
      assert.strictEqual((yield* fetch).status, 200)

      const shown = (yield* server.requestsTo("/mcp")).map(({ peerFingerprint256 = "" }) =>
        Buffer.from(peerFingerprint256.replaceAll(":", ""), "hex").toString("base64url")
      )
      assert.deepStrictEqual(shown, [first.thumbprintSha256, second.thumbprintSha256])
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("a server that refuses every token is left with no open connection", () =>
    Effect.gen(function* () {
      const tokenEndpoint = yield* startTokenEndpoint
      const open = new Set<Socket>()
      const upstream = yield* serveRaw((request, response) => {
        request.resume()
        response.writeHead(401).end(Buffer.alloc(200_000))
      })
      upstream.server.on("connection", (socket) => {
        open.add(socket)
        socket.on("error", () => {}).once("close", () => open.delete(socket))
      })
      const { fetch } = yield* makeFetch(upstream.url, tokenEndpoint.oauth)
      for (let count = 0; count < 10; count++) {
        const error = yield* Effect.flip(fetch)
        assert.include(error.message, "refused a fresh token")
      }
      yield* Effect.callback<void>((resume) => {
        const look = () => {
          if (open.size <= 1) resume(Effect.void)
        }
        for (const socket of open) socket.on("close", look)
        look()
      })
    })
  )

  it.effect("a fetch goes through the proxy of the entry", () =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      yield* server.always("/mcp", Answer.json({}))
      const proxy = yield* startConnectProxy({ hosts: { "mcp.example": Number(new URL(server.url).port) } })
      const { fetch } = yield* makeFetch("http://mcp.example/mcp", { enabled: false }, { proxy: proxy.url })
      assert.strictEqual((yield* fetch).status, 200)
      assert.deepStrictEqual(yield* proxy.asked, ["mcp.example:80"])
    })
  )

  it.effect("a fetch without a connection fails with the cause", () =>
    Effect.gen(function* () {
      const url = `http://127.0.0.1:${yield* refusedPort}/mcp`
      const { fetch } = yield* makeFetch(url, { enabled: false })
      const error = yield* Effect.flip(fetch)
      assert.include(error.message, 'The MCP server "remote" gave no answer: connection refused')
    })
  )

  const redirecting = Effect.fnUntraced(function* (
    status: number,
    location: string | undefined,
    options: { readonly withToken?: boolean; readonly again?: string } = {}
  ) {
    const server = yield* StubAuthorizationServer.make()
    const headers = (to: string | undefined): Record<string, string> =>
      to === undefined ? {} : { location: to }
    yield* server.always("/mcp", Answer.json({}, { status, headers: headers(location) }))
    yield* server.always(
      "/mcp/",
      options.again === undefined
        ? Answer.json({ moved: true })
        : Answer.json({}, { status, headers: headers(options.again) })
    )
    const endpoint = yield* startTokenEndpoint
    const oauth = options.withToken === true ? endpoint.oauth : { enabled: false }
    const made = yield* makeFetch(server.endpoint("/mcp"), oauth)
    return { ...made, server }
  })

  it.effect.each([
    [307, "POST", false],
    [308, "POST", true],
    [308, "DELETE", true],
    [302, "GET", true]
  ] as const)(
    "follows a %i of a %s within the origin, with the body and the token (%s)",
    ([status, method, withToken]) =>
      Effect.gen(function* () {
        const { send, server } = yield* redirecting(status, "/mcp/", { withToken })
        const body = method === "POST" ? { body: '{"n":1}' } : {}
        const response = yield* send({ method, headers: { "x-own": "1" }, ...body })
        assert.strictEqual(response.status, 200)
        const [moved] = yield* server.requestsTo("/mcp/")
        assert.strictEqual(moved?.method, method)
        assert.strictEqual(moved?.headers["x-own"], "1")
        assert.strictEqual(moved?.headers["authorization"], withToken ? "Bearer token-1" : undefined)
        if (method === "POST") assert.strictEqual(moved?.body, '{"n":1}')
      })
  )

  it.effect(
    "does not follow a redirect to another origin, and says in the error and the log where it leads",
    () =>
      Effect.gen(function* () {
        const other = yield* StubAuthorizationServer.make()
        const { fetch, server } = yield* redirecting(307, other.endpoint("/mcp?code=secret"), {
          withToken: true
        })
        const error = yield* Effect.flip(fetch)
        assert.include(error.message, new URL(other.url).origin)
        assert.notInclude(error.message, "secret")
        assert.lengthOf(yield* other.requestsTo("/mcp"), 0)
        assert.lengthOf(yield* server.requestsTo("/mcp"), 1)
      })
  )

  it.effect.each([
    [301, "/mcp/", undefined, "/mcp/"],
    [307, "/mcp/", "/mcp", "a second time"],
    [307, undefined, undefined, "without a `Location`"]
  ] as const)("refuses a %i to %s and then %s", ([status, location, again, said]) =>
    Effect.gen(function* () {
      const { fetch } = yield* redirecting(status, location, again === undefined ? {} : { again })
      const error = yield* Effect.flip(fetch)
      assert.include(error.message, said)
      assert.strictEqual(error.kind, "Refused")
    })
  )

  it.effect.each([
    ["Unauthorized: Session not found", {}, { "mcp-session-id": "s1" }, 1],
    ["Unauthorized: Session not found", {}, {}, 2],
    ["Unauthorized", {}, { "mcp-session-id": "s1" }, 2],
    ["Session not found", { "www-authenticate": "Bearer" }, { "mcp-session-id": "s1" }, 2]
  ] as const)(
    "a 401 that says `%s` with %o to a request with %o is about the session or about the token",
    ([text, challenge, headers, times]) =>
      Effect.gen(function* () {
        const endpoint = yield* startTokenEndpoint
        const upstream = yield* serveRaw((request, response) => {
          request.resume()
          response.writeHead(401, challenge).end(text)
        })
        let requests = 0
        upstream.server.on("request", () => {
          requests += 1
        })
        const { send } = yield* makeFetch(upstream.url, endpoint.oauth)
        const answer = Effect.exit(
          Effect.scoped(
            Effect.flatMap(send({ method: "POST", headers, body: "{}" }), (response) =>
              readText(response, 100)
            )
          )
        )
        const exit = yield* answer
        if (times === 1) assert.deepStrictEqual(exit, Exit.succeed(text))
        else assert.isTrue(Exit.isFailure(exit))
        assert.strictEqual(requests, times)
      })
  )

  it.effect("sends nothing to another origin", () =>
    Effect.gen(function* () {
      const other = yield* StubAuthorizationServer.make()
      const { send } = yield* redirecting(200, undefined)
      const error = yield* Effect.flip(
        send({ method: "POST", headers: {}, body: "{}", url: new URL(other.endpoint("/mcp")) })
      )
      assert.strictEqual(error.kind, "NotSent")
      assert.lengthOf(yield* other.requestsTo("/mcp"), 0)
    })
  )

  it.effect("tells a request that was not sent from one that may have arrived", () =>
    Effect.gen(function* () {
      const refused = yield* makeFetch(`http://127.0.0.1:${yield* refusedPort}/mcp`, { enabled: false })
      assert.strictEqual((yield* Effect.flip(refused.fetch)).kind, "NotSent")
      const closing = yield* serveRaw((request) => request.socket.destroy())
      const broken = yield* makeFetch(closing.url, { enabled: false })
      assert.strictEqual((yield* Effect.flip(broken.fetch)).kind, "Broken")
    })
  )

  it.effect.each([
    ["a short JSON text", (response) => response.end("{}"), { text: "{}" }],
    ["a long JSON text", (response) => response.end(longText), { later: longText }],
    [
      "a JSON text that is compressed",
      (response) => response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync("{}")),
      { later: "{}" }
    ],
    [
      "a stream of events",
      (response) => response.writeHead(200, { "content-type": "text/event-stream" }).end("data: {}\n\n"),
      { later: "data: {}\n\n" }
    ],
    ["an acceptance", (response) => response.writeHead(202).end(), { later: "" }]
  ] as const satisfies ReadonlyArray<readonly [string, (response: ServerResponse) => void, object]>)(
    "%s is an answer to a request that was sent without a fiber",
    ([, answer, expected]) =>
      Effect.gen(function* () {
        const upstream = yield* serveRaw((request, response) => {
          request.resume()
          answer(response.setHeader("content-type", "application/json"))
        })
        const made = yield* makeFetch(upstream.url, { enabled: false })
        assert.deepStrictEqual(yield* sendNow(made), expected)
      })
  )

  it.effect(
    "a request is sent without a fiber only with a token that is there, and again with another if that is refused",
    () =>
      Effect.gen(function* () {
        const endpoint = yield* startTokenEndpoint
        const refused = new Set(["Bearer token-1"])
        const upstream = yield* serveRaw((request, response) => {
          request.resume()
          response.writeHead(refused.has(request.headers.authorization ?? "") ? 401 : 200, {
            "content-type": "application/json"
          })
          response.end(JSON.stringify(request.headers.authorization))
        })
        const made = yield* makeFetch(upstream.url, endpoint.oauth)
        assert.strictEqual(yield* sendNow(made), "nothing was sent")
        refused.clear()
        yield* made.fetch
        assert.deepStrictEqual(yield* sendNow(made), { text: '"Bearer token-1"' })
        refused.add("Bearer token-1")
        assert.deepStrictEqual(yield* sendNow(made), { later: '"Bearer token-2"' })
        assert.deepStrictEqual(yield* sendNow(made), { text: '"Bearer token-2"' })
      })
  )

  it.effect("a request that was sent without a fiber follows a redirect within the origin", () =>
    Effect.gen(function* () {
      const made = yield* redirecting(307, "/mcp/")
      assert.deepStrictEqual(yield* sendNow(made), { later: '{"moved":true}' })
    })
  )

  it.effect("a request without a fiber that finds no connection fails with the cause", () =>
    Effect.gen(function* () {
      const made = yield* makeFetch(`http://127.0.0.1:${yield* refusedPort}/mcp`, { enabled: false })
      const error = yield* Effect.flip(sendNow(made))
      assert.strictEqual(error.kind, "NotSent")
      assert.include(error.message, "connection refused")
    })
  )

  it.effect("a request without a fiber that is aborted closes its connection, and is not answered", () =>
    Effect.gen(function* () {
      const arrived = yield* Deferred.make<Socket>()
      const upstream = yield* serveRaw((request) => {
        Deferred.doneUnsafe(arrived, Effect.succeed(request.socket))
      })
      const { now } = yield* makeFetch(upstream.url, { enabled: false })
      let answers = 0
      const sent = now?.(post, () => (answers += 1))
      const socket = yield* Deferred.await(arrived)
      const closed = Effect.callback<void>((resume) => {
        socket.once("close", () => resume(Effect.void))
      })
      const closing = yield* Effect.forkScoped(closed, { startImmediately: true })
      sent?.abort()
      yield* Fiber.join(closing)
      assert.strictEqual(answers, 0)
    })
  )
})

const longText = JSON.stringify("x".repeat(100_000))
