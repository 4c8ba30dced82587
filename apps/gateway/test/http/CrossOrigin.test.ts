import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { OutgoingHttpHeaders } from "node:http"
import { fileURLToPath } from "node:url"
import { open, ping, rpc, send, serveRaw } from "./RawHttp.ts"
import { startGateway } from "./RunningGateway.ts"

const page = "http://localhost:6274"
const exposed = "Mcp-Session-Id, MCP-Protocol-Version, WWW-Authenticate"

/** A gateway before an HTTP server that has its own opinion of pages, and a child. */
const startServers = Effect.fnUntraced(function* (settings: object = {}) {
  const received: Array<string> = []
  const upstream = yield* serveRaw((request, response) => {
    received.push(`${request.method} ${JSON.stringify(request.headers)}`)
    const status = Number(request.headers["x-status"] ?? 200)
    response
      .writeHead(status, {
        "access-control-allow-origin": "*",
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": "x-upstream",
        "content-type": request.method === "GET" ? "text/event-stream" : "application/json",
        vary: "Accept-Encoding"
      })
      .end("{}")
  })
  const gateway = yield* startGateway({
    servers: [
      { server_name: "http", config: { url: upstream.url } },
      { server_name: "away", config: { url: "http://127.0.0.1:9/mcp" } },
      {
        server_name: "child",
        config: {
          command: process.execPath,
          args: [fileURLToPath(new URL("../bridge/fixtures/lineServer.ts", import.meta.url))]
        }
      }
    ],
    gateway: { allowed_hosts: ["pages.example.com"], ...settings }
  })
  const withHeaders = (server: string, headers: OutgoingHttpHeaders, message = ping) =>
    send(gateway.mcp(server), { ...message, headers: { ...ping.headers, ...headers } })
  return { gateway, received, withHeaders }
})

const preflight = (url: string, origin: string, headers: OutgoingHttpHeaders = {}) =>
  send(url, {
    method: "OPTIONS",
    headers: { origin, "access-control-request-method": "POST", ...headers }
  })

const initialize = rpc({
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "page", version: "1" } }
})

describe("a page of an allowed origin", () => {
  it.effect("its preflight is answered with its origin, for the requests and the headers of MCP", () =>
    Effect.gen(function* () {
      const { gateway, received } = yield* startServers()
      for (const server of ["http", "away", "child", "unknown"]) {
        for (const origin of [
          page,
          "http://127.0.0.1:1",
          "http://[::1]:1",
          "https://pages.example.com:8443"
        ]) {
          const { body, headers, status } = yield* preflight(gateway.mcp(server), origin)
          assert.strictEqual(status, 204)
          assert.lengthOf(body, 0)
          assert.deepInclude(headers, {
            "access-control-allow-origin": origin,
            "access-control-allow-methods": "GET, POST, DELETE",
            "access-control-allow-headers":
              "accept, authorization, content-type, last-event-id, mcp-method, mcp-name, mcp-protocol-version, mcp-session-id",
            "access-control-max-age": "7200",
            vary: "Origin, Access-Control-Request-Headers"
          })
          assert.notProperty(headers, "access-control-allow-credentials")
        }
      }
      assert.isEmpty(received)
    })
  )

  it.effect("its preflight also allows the headers that it asks for, if they are names of headers", () =>
    Effect.gen(function* () {
      const { gateway } = yield* startServers()
      const { headers } = yield* preflight(gateway.mcp("http"), page, {
        "access-control-request-headers": "Content-Type, mcp-param-Region,X-Tenant, ,b(d"
      })
      const allowed = String(headers["access-control-allow-headers"]).split(", ")
      assert.deepStrictEqual(allowed.slice(-2), ["mcp-param-region", "x-tenant"])
      assert.strictEqual(new Set(allowed).size, allowed.length)
    })
  )

  it.effect("its preflight may ask for a private network", () =>
    Effect.gen(function* () {
      const { gateway } = yield* startServers()
      const asked = yield* preflight(gateway.mcp("http"), page, {
        "access-control-request-private-network": "true"
      })
      assert.strictEqual(asked.headers["access-control-allow-private-network"], "true")
      const other = yield* preflight(gateway.mcp("http"), page)
      assert.notProperty(other.headers, "access-control-allow-private-network")
    })
  )

  it.effect("it may read the answers of an HTTP server, whatever that says of pages itself", () =>
    Effect.gen(function* () {
      const { withHeaders } = yield* startServers()
      for (const status of ["200", "202", "400", "404", "500", "503"]) {
        const { headers } = yield* withHeaders("http", { origin: page, "x-status": status })
        assert.strictEqual(headers["access-control-allow-origin"], page, status)
        assert.strictEqual(headers["access-control-expose-headers"], exposed)
        assert.strictEqual(headers.vary, "Origin, Accept-Encoding")
        assert.notProperty(headers, "access-control-allow-credentials")
      }
      const { headers } = yield* withHeaders("http", {})
      assert.notProperty(headers, "access-control-allow-origin")
      assert.strictEqual(headers.vary, "Origin, Accept-Encoding")
    })
  )

  it.effect("it may read event streams, the answers of a child, and the gateway's own errors", () =>
    Effect.gen(function* () {
      const { gateway, withHeaders } = yield* startServers()
      const stream = yield* Effect.promise(() => open(gateway.mcp("http"), { headers: { origin: page } }))
      stream.destroy()
      const answers = [
        stream,
        yield* withHeaders("child", { origin: page }, initialize),
        yield* withHeaders("child", { origin: page, accept: "text/plain" }, initialize),
        yield* withHeaders("away", { origin: page }),
        yield* withHeaders("unknown", { origin: page }),
        yield* send(`${gateway.url}/healthz`, { headers: { origin: page } }),
        yield* send(`${gateway.url}/nowhere`, { headers: { origin: page } }),
        yield* send(gateway.mcp("http"), { method: "PUT", headers: { origin: page } })
      ]
      for (const { headers } of answers) {
        assert.strictEqual(headers["access-control-allow-origin"], page)
        assert.strictEqual(headers["access-control-expose-headers"], exposed)
        assert.match(String(headers.vary), /^Origin\b/)
      }
      assert.isDefined(answers[1]?.headers["mcp-session-id"])
    })
  )

  it.effect("its preflight needs no API key, its request does, and it may read the refusal", () =>
    Effect.gen(function* () {
      const { gateway, received, withHeaders } = yield* startServers({ api_keys: ["a-key-of-the-gateway"] })
      assert.strictEqual((yield* preflight(gateway.mcp("http"), page)).status, 204)
      const refused = yield* withHeaders("http", { origin: page })
      assert.strictEqual(refused.status, 401)
      assert.strictEqual(refused.headers["access-control-allow-origin"], page)
      assert.include(String(refused.headers["access-control-expose-headers"]), "WWW-Authenticate")
      assert.isEmpty(received)
      const authorization = "Bearer a-key-of-the-gateway"
      assert.strictEqual((yield* withHeaders("http", { origin: page, authorization })).status, 200)
      const plainOptions = yield* send(gateway.mcp("http"), { method: "OPTIONS", headers: { origin: page } })
      assert.strictEqual(plainOptions.status, 401)
    })
  )

  it.effect("the server behind the gateway does not see which page it is", () =>
    Effect.gen(function* () {
      const { received, withHeaders } = yield* startServers()
      yield* withHeaders("http", {
        origin: page,
        referer: `${page}/?key=of-the-page`,
        "sec-fetch-dest": "empty",
        "sec-fetch-mode": "cors",
        "sec-fetch-site": "cross-site"
      })
      assert.lengthOf(received, 1)
      assert.notMatch(received.join(), /localhost:6274|of-the-page|sec-fetch/)
    })
  )
})

describe("a page of a foreign origin", () => {
  it.effect("it gets no permission, and its requests are refused", () =>
    Effect.gen(function* () {
      const { gateway, received, withHeaders } = yield* startServers()
      const foreign = [
        "https://evil.example",
        "null",
        "https://sub.pages.example.com",
        "https://pages.example.com.evil.example",
        "https://pages.example.com@evil.example",
        "http://evil.example#localhost",
        "http://localhost, http://evil.example",
        "http://localhost/",
        "localhost",
        ""
      ]
      for (const origin of foreign) {
        for (const answer of [
          yield* preflight(gateway.mcp("http"), origin),
          yield* withHeaders("http", { origin }),
          yield* withHeaders("child", { origin }, initialize),
          yield* send(gateway.mcp("http"), { headers: { origin } })
        ]) {
          assert.strictEqual(answer.status, 403, origin)
          const names = Object.keys(answer.headers).filter((name) => name.startsWith("access-control-"))
          assert.isEmpty(names, origin)
        }
      }
      assert.isEmpty(received)
    })
  )

  it.effect("what its browser sends without an origin is refused, too", () =>
    Effect.gen(function* () {
      const { gateway, received } = yield* startServers()
      for (const method of ["GET", "POST", "DELETE"]) {
        const statusFrom = (site: string, more: OutgoingHttpHeaders = {}) =>
          Effect.map(
            send(gateway.mcp("http"), { method, headers: { "sec-fetch-site": site, ...more } }),
            ({ status }) => status
          )
        assert.strictEqual(yield* statusFrom("cross-site"), 403, method)
        assert.isEmpty(received)
        for (const site of ["none", "same-origin", "same-site"])
          assert.strictEqual(yield* statusFrom(site), 200, site)
        assert.strictEqual(yield* statusFrom("cross-site", { origin: page }), 200)
        received.length = 0
      }
    })
  )
})
