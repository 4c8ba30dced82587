import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { OutgoingHttpHeaders } from "node:http"
import { send, serveRaw } from "./RawHttp.ts"
import { startGateway } from "./RunningGateway.ts"

/** A gateway before a server that says what reached it. */
const startGuarded = Effect.fnUntraced(function* (settings: object = {}) {
  const received: Array<string | undefined> = []
  const upstream = yield* serveRaw((request, response) => {
    received.push(request.headers.authorization)
    response.end()
  })
  const gateway = yield* startGateway({
    servers: [{ server_name: "raw", config: { url: upstream.url } }],
    gateway: settings
  })
  const statuses = (requests: ReadonlyArray<OutgoingHttpHeaders>) =>
    Effect.forEach(requests, (headers) =>
      Effect.map(send(gateway.mcp("raw"), { method: "POST", headers, body: "{}" }), ({ status }) => status)
    )
  return { gateway, received, statuses, host: new URL(gateway.url).host }
})

describe("the gateway", () => {
  it.effect("the gateway refuses the names of other machines as Host", () =>
    Effect.gen(function* () {
      const { received, statuses } = yield* startGuarded()
      const foreign = [
        "evil.example",
        "evil.example:8787",
        "localhost.evil.example",
        "127.0.0.1.evil.example"
      ]
      assert.deepStrictEqual(yield* statuses(foreign.map((host) => ({ host }))), [403, 403, 403, 403])
      assert.isEmpty(received)
      const own = ["localhost", "LOCALHOST:1234", "127.0.0.1:8787", "[::1]:8787", "app.localhost"]
      assert.deepStrictEqual(yield* statuses(own.map((host) => ({ host }))), [200, 200, 200, 200, 200])
    })
  )

  it.effect("the gateway refuses pages of other machines as Origin", () =>
    Effect.gen(function* () {
      const { received, statuses } = yield* startGuarded()
      const foreign = ["https://evil.example", "null", "http://localhost.evil.example", "file://"]
      assert.deepStrictEqual(yield* statuses(foreign.map((origin) => ({ origin }))), [403, 403, 403, 403])
      assert.isEmpty(received)
      const own = ["http://localhost:6274", "http://127.0.0.1:3000", "http://[::1]"]
      assert.deepStrictEqual(yield* statuses(own.map((origin) => ({ origin }))), [200, 200, 200])
    })
  )

  it.effect("the gateway accepts the hosts that the configuration allows", () =>
    Effect.gen(function* () {
      const { statuses } = yield* startGuarded({ allowed_hosts: ["gateway.example"] })
      const headers = [
        { host: "gateway.example:8787" },
        { host: "gateway.example", origin: "https://gateway.example" },
        { host: "other.example" },
        { host: "gateway.example", origin: "https://other.example" }
      ]
      assert.deepStrictEqual(yield* statuses(headers), [200, 200, 403, 403])
    })
  )

  it.effect("the gateway requires one of its API keys, if it has any, and does not forward them", () =>
    Effect.gen(function* () {
      const keys = ["first-key-of-the-gateway", "second-key-of-the-gateway"]
      const { gateway, received, statuses } = yield* startGuarded({ api_keys: keys })
      const refused = [
        {},
        { authorization: "Bearer wrong-key-of-the-gateway" },
        { authorization: `Basic ${keys[0]}` },
        { authorization: `Bearer ${keys[0]}x` },
        { authorization: "Bearer first-key-of-the-gatewa" },
        { "x-api-key": keys[0] }
      ]
      assert.deepStrictEqual(yield* statuses(refused), [401, 401, 401, 401, 401, 401])
      assert.isEmpty(received)
      const accepted = keys.map((key) => ({ authorization: `bearer ${key}` }))
      assert.deepStrictEqual(yield* statuses(accepted), [200, 200])
      assert.deepStrictEqual(received, [undefined, undefined])

      const answer = yield* send(gateway.mcp("raw"), { method: "POST", body: "{}" })
      assert.strictEqual(answer.headers["www-authenticate"], 'Bearer realm="secure-mcp-gateway"')
      assert.notInclude(answer.body.toString() + gateway.logs.join(), "key-of-the-gateway")
    })
  )

  it.effect("the gateway guards every path in the same way", () =>
    Effect.gen(function* () {
      const { gateway } = yield* startGuarded({ api_keys: ["a-key-of-the-gateway"] })
      const authorization = "Bearer a-key-of-the-gateway"
      for (const path of ["/metrics", "/metrics.json", "/nowhere"]) {
        const statusWith = (headers: OutgoingHttpHeaders) =>
          Effect.map(send(gateway.url + path, { headers }), ({ status }) => status)
        assert.strictEqual(yield* statusWith({}), 401, path)
        assert.strictEqual(yield* statusWith({ authorization, host: "evil.example" }), 403, path)
        assert.strictEqual(yield* statusWith({ authorization }), path === "/nowhere" ? 404 : 200, path)
      }
    })
  )
})
