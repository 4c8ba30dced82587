import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { decodeGatewayConfig, gatewayServices, PersonActivity } from "@secure-mcp/gateway-server"
import { ClientCertificates } from "@secure-mcp/mtls"
import { TokenInjector } from "@secure-mcp/transport-injection"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import * as Tracer from "effect/Tracer"
import { CallerExpiry } from "../../../../packages/gateway-server/src/callers/CallerExpiry.ts"
import { callersOfWorker } from "../../../../packages/gateway-server/src/callers/GatewayCallers.ts"
import { makeAccess } from "../../../../packages/gateway-server/src/http/Access.ts"
import { BegunExchanges } from "../../../../packages/gateway-server/src/http/BegunExchanges.ts"
import { makeDirectAnswers } from "../../../../packages/gateway-server/src/http/DirectAnswers.ts"
import { McpServers } from "../../../../packages/gateway-server/src/http/McpServers.ts"
import { RequestRefusals } from "../../../../packages/gateway-server/src/http/RequestRefusals.ts"
import { loginInputKey } from "../../../../packages/gateway-server/src/login/LoginPrompt.ts"
import { RequestBodies } from "../../../../packages/gateway-server/src/upstream/RequestBody.ts"
import { Servers } from "../../../../packages/gateway-server/src/upstream/Servers.ts"
import { ping, type RawRequest, send, serveRaw } from "./RawHttp.ts"
import { startTokenEndpoint } from "./RunningGateway.ts"

/** The status of what was left to the router, which is not there. */
const leftToRouter = 599

const key = "k".repeat(40)

/** Direct answers in front of no router, before a server that takes one token. */
const start = Effect.fnUntraced(function* () {
  const tokenEndpoint = yield* startTokenEndpoint
  const taken = { token: "Bearer token-1" }
  const received: Array<string> = []
  const upstream = yield* serveRaw((request, response) => {
    received.push(`${request.method} ${request.headers.authorization ?? "without a token"}`)
    request.resume().on("end", () => {
      const isTaken = [undefined, taken.token].includes(request.headers.authorization)
      response.writeHead(isTaken ? 200 : 401, { "content-type": "application/json" }).end("{}")
    })
  })
  const config = yield* Effect.fromResult(
    decodeGatewayConfig({
      servers: [
        { server_name: "open", config: { url: upstream.url } },
        { server_name: "guarded", config: { url: upstream.url }, oauth: tokenEndpoint.oauth },
        { server_name: "away", config: { url: "http://127.0.0.1:9/mcp" } },
        { server_name: "child", config: { command: process.execPath, args: ["-e", "0"] } }
      ],
      gateway: { port: 0, api_keys: [{ subject: "alice", key }] }
    })
  )
  const services = yield* Layer.build(
    Layer.mergeAll(
      McpServers.layer,
      BegunExchanges.layer,
      RequestRefusals.layer,
      CallerExpiry.layer(config.gateway)
    ).pipe(
      Layer.provideMerge(Servers.layer(config)),
      Layer.provideMerge(RequestBodies.layer(config.gateway.bufferedBytes)),
      Layer.provideMerge(gatewayServices(config)),
      Layer.provideMerge(ClientCertificates.layer),
      Layer.provide(NodeServices.layer)
    )
  )
  const access = makeAccess(config.gateway, callersOfWorker(config.gateway))
  const answer = yield* Effect.provide(makeDirectAnswers(access), services)
  const front = yield* serveRaw((request, response) =>
    answer(request, response, () => void response.writeHead(leftToRouter).end())
  )
  const ask = (serverName: string, request: RawRequest = ping) =>
    Effect.map(
      send(new URL(`/servers/${serverName}/mcp`, front.url).href, {
        ...request,
        headers: { authorization: `Bearer ${key}`, ...request.headers }
      }),
      ({ status }) => status
    )
  /** A token in memory, as another request leaves it. */
  const obtainToken = Effect.forEach(config.servers, (entry) =>
    Effect.flatMap(TokenInjector, (injector) => injector.tokenFor(entry, config))
  ).pipe(Effect.provide(services))
  const { get } = Context.get(services, PersonActivity)
  /** When alice was seen to use a server. */
  const usedAt = (serverName: string) => get(serverName, "alice").lastUseAt
  return { ask, obtainToken, received, services, access, taken, usedAt }
})

describe("direct answers", () => {
  it.effect("a server that needs no token is answered for without the router", () =>
    Effect.gen(function* () {
      const { ask, received } = yield* start()
      assert.strictEqual(yield* ask("open"), 200)
      assert.strictEqual(yield* ask("open", { method: "GET" }), 200)
      assert.deepStrictEqual(received, ["POST without a token", "GET without a token"])
    })
  )

  it.effect("a token that is held is sent without the router, which obtains the first one", () =>
    Effect.gen(function* () {
      const { ask, obtainToken, received } = yield* start()
      assert.strictEqual(yield* ask("guarded"), leftToRouter)
      assert.isEmpty(received)
      yield* obtainToken
      assert.strictEqual(yield* ask("guarded"), 200)
      assert.deepStrictEqual(received, ["POST Bearer token-1"])
    })
  )

  it.effect(
    "a request that is sent is a use by its caller, and one that is left to the router is not yet",
    () =>
      Effect.gen(function* () {
        const { ask, obtainToken, usedAt } = yield* start()
        assert.strictEqual(yield* ask("guarded"), leftToRouter)
        assert.isUndefined(usedAt("guarded"))
        yield* TestClock.setTime(5000)
        yield* obtainToken
        assert.strictEqual(yield* ask("guarded"), 200)
        assert.strictEqual(usedAt("guarded"), 5000)
        assert.isUndefined(usedAt("open"))
      })
  )

  it.effect("a refused token is left to the router, which replaces it", () =>
    Effect.gen(function* () {
      const { ask, obtainToken, received, taken } = yield* start()
      yield* obtainToken
      taken.token = "Bearer token-2"
      assert.strictEqual(yield* ask("guarded"), leftToRouter)
      assert.deepStrictEqual(received, ["POST Bearer token-1"])
    })
  )

  it.effect("what is not the common case is left to the router", () =>
    Effect.gen(function* () {
      const { ask, received } = yield* start()
      const others: ReadonlyArray<readonly [string, RawRequest]> = [
        ["unknown", ping],
        ["child", ping],
        ["away", ping],
        ["open", { method: "DELETE" }],
        ["open", { method: "PUT" }],
        ["open", { ...ping, headers: { authorization: "Bearer another-key" } }],
        ["open", { ...ping, headers: { host: "evil.example" } }],
        ["open", { ...ping, headers: { origin: "https://evil.example" } }],
        ["open", { ...ping, headers: { "sec-fetch-mode": "navigate" } }],
        ["open", { method: "POST", body: JSON.stringify({ [loginInputKey]: {} }) }]
      ]
      for (const [serverName, request] of others)
        assert.strictEqual(yield* ask(serverName, request), leftToRouter, JSON.stringify(request))
      assert.isEmpty(received)
    })
  )

  it.effect("with a tracer everything is left to the router, which makes the spans", () =>
    Effect.gen(function* () {
      const { access, services } = yield* start()
      const tracer = Tracer.make({ span: (options) => new Tracer.NativeSpan(options) })
      const answer = yield* makeDirectAnswers(access).pipe(
        Effect.provide(services),
        Effect.provideService(Tracer.Tracer, tracer)
      )
      const front = yield* serveRaw((request, response) =>
        answer(request, response, () => void response.writeHead(leftToRouter).end())
      )
      const { status } = yield* send(new URL("/servers/open/mcp", front.url).href, {
        ...ping,
        headers: { authorization: `Bearer ${key}` }
      })
      assert.strictEqual(status, leftToRouter)
    })
  )
})
