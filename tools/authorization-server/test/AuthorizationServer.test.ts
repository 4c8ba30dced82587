import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { connect } from "node:net"
import { once } from "node:events"
import { AuthorizationServer, clientCredentialsClient } from "@secure-mcp/authorization-server"
import { basic, postForm } from "./postForm.ts"

const opaque = "https://opaque.example.com/mcp"
const jwt = "https://jwt.example.com/mcp"
const options = {
  clients: [clientCredentialsClient("client", "secret")],
  resources: [
    { identifier: opaque, scopes: ["mcp:read"], accessTokenFormat: "opaque" },
    { identifier: jwt, scopes: ["mcp:read"], accessTokenFormat: "jwt" }
  ]
} as const

const authorization = { authorization: basic("client", "secret") }
const requestToken = (server: AuthorizationServer["Service"], resource: string) =>
  postForm(server.tokenEndpoint, { grant_type: "client_credentials", resource }, authorization)

describe("AuthorizationServer", () => {
  it.effect("revokes every token issued so far, and issues valid ones again", () =>
    Effect.gen(function* () {
      const server = yield* AuthorizationServer.make(options)
      const old = [yield* requestToken(server, opaque), yield* requestToken(server, jwt)]
      for (const token of old) assert.deepInclude(yield* server.verify(token.accessToken), { active: true })

      yield* server.revokeAll

      for (const token of old)
        assert.deepStrictEqual(yield* server.verify(token.accessToken), { active: false })
      const introspection = yield* postForm(
        server.introspectionEndpoint,
        { token: old[0]?.accessToken ?? "" },
        authorization
      )
      assert.deepStrictEqual(introspection.body, { active: false })
      for (const resource of [opaque, jwt]) {
        const fresh = yield* requestToken(server, resource)
        assert.deepInclude(yield* server.verify(fresh.accessToken), { active: true })
      }
    })
  )

  it.effect("answers 503 during an outage, records the requests, and recovers", () =>
    Effect.gen(function* () {
      const server = yield* AuthorizationServer.make(options)
      yield* server.setOutage(true)
      assert.strictEqual((yield* requestToken(server, opaque)).status, 503)
      yield* server.setOutage(false)
      assert.strictEqual((yield* requestToken(server, opaque)).status, 200)

      const requests = yield* server.tokenRequests
      assert.deepStrictEqual(
        requests.map((request) => request.status),
        [503, 200]
      )
      for (const request of requests) {
        assert.strictEqual(request.headers.authorization, authorization.authorization)
        assert.deepStrictEqual({ ...request.form }, { grant_type: "client_credentials", resource: opaque })
      }
    })
  )

  it.effect("records refused requests too, with their repeated parameters", () =>
    Effect.gen(function* () {
      const server = yield* AuthorizationServer.make(options)
      yield* Effect.promise(() =>
        fetch(server.tokenEndpoint, {
          method: "POST",
          headers: { ...authorization, "content-type": "application/x-www-form-urlencoded" },
          body: "grant_type=client_credentials&scope=a&scope=b"
        })
      )
      const [request] = yield* server.tokenRequests
      assert.strictEqual(request?.status, 400)
      assert.deepStrictEqual(request?.form["scope"], ["a", "b"])
    })
  )

  it.effect("changes the lifetime of new tokens while it runs", () =>
    Effect.gen(function* () {
      const server = yield* AuthorizationServer.make({ ...options, accessTokenLifetime: 5 })
      assert.strictEqual((yield* requestToken(server, opaque)).body["expires_in"], 5)
      yield* server.setAccessTokenLifetime(7)
      assert.strictEqual((yield* requestToken(server, opaque)).body["expires_in"], 7)
      assert.strictEqual((yield* requestToken(server, jwt)).body["expires_in"], 7)
    })
  )

  it.effect("says why it cannot start", () =>
    Effect.gen(function* () {
      const running = yield* AuthorizationServer.make(options)
      const taken = yield* Effect.flip(
        AuthorizationServer.make({ ...options, port: Number(new URL(running.issuer).port) })
      )
      assert.strictEqual(taken.reason, "Listen")
      assert.include(taken.message, "EADDRINUSE")

      const duplicate = yield* Effect.flip(
        AuthorizationServer.make({ clients: [...options.clients, ...options.clients] })
      )
      assert.strictEqual(duplicate.reason, "Configuration")

      const pem = yield* Effect.flip(
        AuthorizationServer.make({ ...options, tls: { key: "no", cert: "PEM" } })
      )
      assert.strictEqual(pem.reason, "Configuration")
    })
  )

  it.effect("cuts open connections when its scope closes", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const server = yield* Scope.provide(AuthorizationServer.make(options), scope)
      const socket = connect(Number(new URL(server.issuer).port), "127.0.0.1")
      yield* Effect.promise(() => once(socket, "connect"))
      // Half a request keeps the connection busy.
      socket.write("POST /token HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n")
      // The cut may reach this side as a reset, on which `once` would reject.
      const closed = new Promise((resolve) => socket.on("close", resolve))
      socket.resume().on("error", () => {})
      yield* Scope.close(scope, Exit.void)
      yield* Effect.promise(() => closed)
    })
  )
})
