import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import { request } from "node:http"
import { open, ping, type RawRequest, send, serveRaw } from "../http/RawHttp.ts"
import { startGateway } from "../http/RunningGateway.ts"
import { bearer, publicUrl, startCompany } from "./Company.ts"

/** A server that says what it was sent, and streams on GET. */
const startServer = Effect.gen(function* () {
  const received: Array<{ readonly url: string; readonly headers: string }> = []
  const { url } = yield* serveRaw((request, response) => {
    received.push({ url: request.url ?? "", headers: JSON.stringify(request.rawHeaders) })
    if (request.method === "GET") {
      response.writeHead(200, { "content-type": "text/event-stream" })
      return void response.write("data: {}\n\n")
    }
    return void response.writeHead(200, { "content-type": "application/json" }).end("{}")
  })
  return { url, received }
})

const start = (gateway: object = {}, jwt: object = {}) =>
  Effect.gen(function* () {
    const company = yield* startCompany
    const { received, url } = yield* startServer
    const { logs, ...running } = yield* startGateway({
      servers: [
        { server_name: "a", config: { url } },
        { server_name: "b", config: { url } }
      ],
      gateway: company.gateway(gateway, jwt)
    })
    const ask = (token: string | undefined, serverName = "a", request: RawRequest = ping) =>
      send(running.mcp(serverName), {
        ...request,
        headers: { ...request.headers, ...(token === undefined ? {} : bearer(token)) }
      })
    return { ...running, ask, company, received, logs }
  })

/** The status of the answer to a request with a second `Authorization`. */
const sendTwice = (url: string, headers: object) =>
  new Promise<number | undefined>((resolve, reject) => {
    const { host } = new URL(url)
    const lines = Object.entries({ host, ...headers }).flat()
    request(url, { method: "POST", headers: [...lines, "Authorization", "Bearer x"] })
      .on("response", (answer) => resolve(answer.resume().statusCode))
      .on("error", reject)
      .end("{}")
  })

describe("a gateway that knows its callers by their tokens", () => {
  it.effect("a caller with a token is served, and its token goes no further", () =>
    Effect.gen(function* () {
      const { ask, company, logs, received } = yield* start()
      const token = yield* company.token("ada")
      for (let time = 0; time < 3; time += 1) assert.strictEqual((yield* ask(token)).status, 200)
      assert.lengthOf(received, 3)
      assert.notInclude(JSON.stringify(received), token)
      assert.notInclude(JSON.stringify(received).toLowerCase(), "authorization")
      assert.notInclude(logs.join(), token)
      assert.deepStrictEqual(company.asked, [
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/keys"
      ])
    })
  )

  it.effect("a client without a token learns where to log in", () =>
    Effect.gen(function* () {
      const { ask, company, url } = yield* start()
      const refused = yield* ask(undefined)
      assert.strictEqual(refused.status, 401)
      assert.strictEqual(
        refused.headers["www-authenticate"],
        `Bearer realm="secure-mcp-gateway", resource_metadata="${publicUrl}/.well-known/oauth-protected-resource/servers/a/mcp", scope="mcp"`
      )
      const expected = {
        authorization_servers: [company.issuer],
        scopes_supported: ["mcp"],
        bearer_methods_supported: ["header"]
      }
      const read = (path: string) =>
        Effect.map(send(url + path), ({ body, status }) =>
          status === 200 ? (JSON.parse(body.toString()) as unknown) : status
        )
      const wellKnown = "/.well-known/oauth-protected-resource"
      assert.deepStrictEqual(yield* read(`${wellKnown}/servers/a/mcp`), {
        resource: `${publicUrl}/servers/a/mcp`,
        ...expected,
        resource_name: "a"
      })
      assert.deepStrictEqual(yield* read(wellKnown), { resource: publicUrl, ...expected })
      assert.strictEqual(yield* read(`${wellKnown}/servers/unknown/mcp`), 404)
    })
  )

  it.effect("a token for one server opens no other, and one in the URL is none", () =>
    Effect.gen(function* () {
      const { ask, company, mcp, received } = yield* start()
      const token = yield* company.token("ada")
      const other = yield* ask(token, "b")
      assert.strictEqual(other.status, 401)
      assert.include(String(other.headers["www-authenticate"]), 'error="invalid_token"')
      assert.include(String(other.headers["www-authenticate"]), "/servers/b/mcp")
      const inUrl = yield* send(`${mcp("a")}?access_token=${token}`, ping)
      assert.strictEqual(inUrl.status, 401)
      assert.notInclude(String(inUrl.headers["www-authenticate"]), "error=")
      assert.lengthOf(received, 0)
    })
  )

  it.effect("two Authorization headers are refused, whatever stands in them", () =>
    Effect.gen(function* () {
      const { company, mcp, received } = yield* start()
      const token = yield* company.token("ada")
      const headers = { ...ping.headers, authorization: `Bearer ${token}` }
      const both = yield* Effect.promise(() => sendTwice(mcp("a"), headers))
      assert.strictEqual(both, 401)
      assert.lengthOf(received, 0)
    })
  )

  it.effect("a token without the scope is told which one is missing", () =>
    Effect.gen(function* () {
      const { ask, company } = yield* start()
      const refused = yield* ask(yield* company.token("ada", { scope: "other" }))
      assert.strictEqual(refused.status, 403)
      const challenge = String(refused.headers["www-authenticate"])
      for (const part of ['error="insufficient_scope"', 'scope="mcp"', "resource_metadata="])
        assert.include(challenge, part)
    })
  )

  it.effect("a bad token is never taken for an API key, and an API key still counts", () =>
    Effect.gen(function* () {
      const key = "an-api-key-of-a-machine"
      const { ask, company } = yield* start({ api_keys: [key] })
      assert.strictEqual((yield* ask(key)).status, 200)
      const token = yield* company.token("ada", { aud: "https://elsewhere.example" })
      assert.strictEqual((yield* ask(token)).status, 401)
      assert.strictEqual((yield* ask(`${key}x`)).status, 401)
    })
  )

  it.effect("keys change under way, and an issuer that is away is no reason to log in again", () =>
    Effect.gen(function* () {
      const { ask, company } = yield* start()
      const before = yield* company.token("ada", { exp: 100_000 })
      assert.strictEqual((yield* ask(before)).status, 200)
      yield* company.rotate("second")
      assert.strictEqual((yield* ask(yield* company.token("bob"))).status, 200)
      assert.strictEqual((yield* ask(before)).status, 200)
      company.state.isAway = true
      yield* TestClock.adjust("61 minutes")
      const late = yield* ask(before)
      assert.strictEqual(late.status, 503)
      assert.isUndefined(late.headers["www-authenticate"])
      assert.isAbove(Number(late.headers["retry-after"]), 0)
    })
  )

  it.effect("an event stream ends when the token of its caller ends", () =>
    Effect.gen(function* () {
      const { company, mcp } = yield* start()
      const token = yield* company.token("ada", { exp: 60 })
      const stream = yield* Effect.promise(() => open(mcp("a"), { headers: bearer(token) }))
      // Its end is no clean one, so that no client takes the answer for a complete one.
      const ended = new Promise<void>((resolve) => {
        stream
          .resume()
          .on("error", () => undefined)
          .once("close", resolve)
      })
      yield* TestClock.adjust("59 seconds")
      assert.isFalse(stream.destroyed)
      yield* TestClock.adjust("2 seconds")
      yield* Effect.promise(() => ended)
      assert.isTrue(stream.destroyed)
    })
  )

  it.effect("`gateway.allow` says who may use which server", () =>
    Effect.gen(function* () {
      const allow = { a: { subjects: ["ada"], groups: ["staff"], scopes: ["root"] } }
      const { ask, company, received } = yield* start({ allow })
      const statusOf = (subject: string, claims: object = {}, serverName = "a") =>
        Effect.flatMap(company.token(subject, { ...claims }, serverName), (token) =>
          Effect.map(ask(token, serverName), ({ status }) => status)
        )
      assert.strictEqual(yield* statusOf("ada"), 200)
      assert.strictEqual(yield* statusOf("bob", { groups: ["staff", "x"] }), 200)
      assert.strictEqual(yield* statusOf("bob", { scope: "mcp root" }), 200)
      assert.strictEqual(yield* statusOf("bob", {}, "b"), 200)
      assert.lengthOf(received, 4)
      assert.strictEqual(yield* statusOf("bob", { groups: ["other"] }), 403)
      assert.lengthOf(received, 4)
    })
  )
})
