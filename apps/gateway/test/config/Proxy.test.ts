import { assert, describe, layer } from "@effect/vitest"
import { proxyFor } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { entryWith, load, problemsOf, TestLayer, type Environment } from "./configFile.ts"

const url = "https://api.example.com/mcp"

/** The proxy for the server of the only entry. */
const proxyOf = Effect.fnUntraced(function* (
  document: { readonly gateway?: object; readonly proxy?: unknown },
  env: Environment = {},
  target = url
) {
  const { gateway = {}, ...keys } = document
  const { servers } = yield* load({ gateway, servers: [{ ...entryWith(), ...keys }] }, env)
  const proxy = proxyFor(target, servers[0]?.proxies)
  return proxy && Redacted.value(proxy)
})

describe("the proxy of a server", () => {
  layer(TestLayer)((it) => {
    it.effect("the proxy of a server is its own, else that of the file, else that of the environment", () =>
      Effect.gen(function* () {
        const env = { HTTPS_PROXY: "http://env.example:1" }
        const gateway = { proxy: "http://file.example:2" }
        const proxy = "http://entry.example:3"
        assert.strictEqual(yield* proxyOf({ gateway, proxy }, env), proxy)
        assert.strictEqual(yield* proxyOf({ gateway }, env), gateway.proxy)
        assert.strictEqual(yield* proxyOf({}, env), env.HTTPS_PROXY)
        assert.isUndefined(yield* proxyOf({}))
        assert.isUndefined(yield* proxyOf({ gateway, proxy: false }, env))
        assert.isUndefined(yield* proxyOf({ gateway: { proxy: false } }, env))
        assert.strictEqual(yield* proxyOf({ gateway: { proxy: false }, proxy }, env), proxy)
      })
    )

    it.effect("variables in lower case go first, and HTTP_PROXY is used if there is no HTTPS_PROXY", () =>
      Effect.gen(function* () {
        const https_proxy = "http://lower.example:1"
        const http = { HTTP_PROXY: "http://plain.example:2" }
        const https = { HTTPS_PROXY: "http://upper.example:3" }
        assert.strictEqual(yield* proxyOf({}, { ...http, ...https, https_proxy }), https_proxy)
        assert.strictEqual(yield* proxyOf({}, { ...http, ...https, https_proxy: "" }), https.HTTPS_PROXY)
        assert.strictEqual(yield* proxyOf({}, http), http.HTTP_PROXY)
        assert.strictEqual(
          yield* proxyOf({}, { ...http, ...https }, "http://api.example.com/mcp"),
          http.HTTP_PROXY
        )
        assert.isUndefined(yield* proxyOf({}, https, "http://api.example.com/mcp"))
        assert.strictEqual(
          yield* proxyOf({}, { HTTPS_PROXY: "proxy.example:3128" }),
          "http://proxy.example:3128"
        )
      })
    )

    it.effect("hosts in NO_PROXY need no proxy, wherever the proxy is configured", () =>
      Effect.gen(function* () {
        const proxy = "http://proxy.example:3128"
        for (const env of [{ NO_PROXY: ".example.com" }, { no_proxy: "x.example,api.example.com:443" }]) {
          assert.isUndefined(yield* proxyOf({}, { ...env, HTTPS_PROXY: proxy }))
          assert.isUndefined(yield* proxyOf({ gateway: { proxy } }, env))
          assert.isUndefined(yield* proxyOf({ proxy }, env))
          assert.strictEqual(yield* proxyOf({ proxy }, env, "https://other.example/mcp"), proxy)
        }
      })
    )

    it.effect("the proxy may be a reference", () =>
      Effect.gen(function* () {
        const env = { CORPORATE_PROXY: "http://user:secret@proxy.example:3128" }
        assert.strictEqual(yield* proxyOf({ proxy: "${env:CORPORATE_PROXY}" }, env), env.CORPORATE_PROXY)
      })
    )

    it.effect("a proxy that cannot be one is a problem, which does not quote it", () =>
      Effect.gen(function* () {
        const servers = [{ ...entryWith(), proxy: "socks5://user:hunter2@proxy.example" }]
        const problems = yield* problemsOf({
          gateway: { proxy: "http://user:hunter2@proxy.example/x" },
          servers
        })
        assert.lengthOf(problems, 2)
        assert.match(problems[0] ?? "", /^gateway\.proxy: must end with the port/)
        assert.match(problems[1] ?? "", /^servers\[0\]\.proxy: must be the http\(s\) URL of a proxy/)
        assert.notInclude(problems.join(), "hunter2")
        const [other = ""] = yield* problemsOf({ servers: [{ ...entryWith(), proxy: true }] })
        assert.match(other, /^servers\[0\]\.proxy: /)
      })
    )

    it.effect("a wrong HTTPS_PROXY is a problem only for servers that use it", () =>
      Effect.gen(function* () {
        const env = { HTTPS_PROXY: "socks5://user:hunter2@proxy.example" }
        const [problem = ""] = yield* problemsOf({ servers: [entryWith()] }, env)
        assert.match(problem, /^HTTPS_PROXY: the variable of the environment must be the http\(s\) URL/)
        assert.notInclude(problem, "hunter2")
        assert.isUndefined(yield* proxyOf({ gateway: { proxy: false } }, env))
      })
    )
  })
})
