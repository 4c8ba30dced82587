import { assert, describe, it } from "@effect/vitest"
import { proxyFor } from "@secure-mcp/oauth-core"
import { proxyProblem } from "@secure-mcp/oauth-core/internal"
import * as Redacted from "effect/Redacted"

const http = Redacted.make("http://plain.example:3128")
const https = Redacted.make("http://secure.example:3128")

describe("proxyFor", () => {
  it("the proxy is that for the scheme of the URL", () => {
    assert.strictEqual(proxyFor("http://mcp.example/mcp", { http, https }), http)
    assert.strictEqual(proxyFor("https://mcp.example/mcp", { http, https }), https)
    assert.isUndefined(proxyFor("https://mcp.example/mcp", { http }))
    assert.isUndefined(proxyFor("https://mcp.example/mcp", {}))
    assert.isUndefined(proxyFor("https://mcp.example/mcp", undefined))
  })

  it.each(["localhost", "localhost.", "mcp.localhost", "127.0.0.1", "127.9.8.7", "0x7f.1", "[::1]"])(
    "%s is reached directly, because it is this machine",
    (host) => {
      assert.isUndefined(proxyFor(`https://${host}:8443/mcp`, { http, https }))
    }
  )

  it.each([
    ["example.com", "https://example.com/mcp", true],
    ["example.com", "https://EXAMPLE.com./mcp", true],
    ["EXAMPLE.com.", "https://example.com/mcp", true],
    ["example.com", "https://mcp.example.com/mcp", true],
    ["example.com", "https://notexample.com/mcp", false],
    ["example.com", "https://example.com.evil.net/mcp", false],
    [".example.com", "https://mcp.example.com/mcp", true],
    [".example.com", "https://example.com/mcp", true],
    ["*.example.com", "https://a.b.example.com/mcp", true],
    ["*.example.com", "https://example.com/mcp", false],
    ["bücher.example", "https://xn--bcher-kva.example/mcp", true],
    ["example.com:8443", "https://example.com:8443/mcp", true],
    ["example.com:8443", "https://example.com/mcp", false],
    ["example.com:443", "https://example.com/mcp", true],
    ["example.com:80", "http://example.com/mcp", true],
    [".example.com:443", "https://mcp.example.com/mcp", true],
    ["10.1.2.3", "https://10.1.2.3/mcp", true],
    ["10.1.2.3", "https://10.1.2.30/mcp", false],
    ["2.3", "https://10.1.2.3/mcp", false],
    ["10.0.0.0/8", "https://10.1.2.3/mcp", true],
    ["10.0.0.0/8", "https://11.1.2.3/mcp", false],
    ["10.0.0.0/8", "https://10.example.com/mcp", false],
    ["192.168.1.7/24", "https://192.168.1.200/mcp", true],
    ["10.0.0.0/8:8443", "https://10.1.2.3:8443/mcp", true],
    ["10.0.0.0/8:8443", "https://10.1.2.3/mcp", false],
    ["2001:db8::1", "https://[2001:db8:0::1]/mcp", true],
    ["[2001:db8::1]:8443", "https://[2001:db8::1]:8443/mcp", true],
    ["[2001:db8::1]:8443", "https://[2001:db8::1]/mcp", false],
    ["2001:db8::/32", "https://[2001:db8:ffff::1]/mcp", true],
    ["2001:db8::/32", "https://[2001:db9::1]/mcp", false],
    ["*", "https://example.com/mcp", true],
    ["*:8443", "https://example.com/mcp", false],
    ["a.example, ,b.example\tc.example", "https://c.example/mcp", true],
    ["", "https://example.com/mcp", false],
    ["10.0.0.0/99,https://example.com,[,:,/", "https://example.com/mcp", false]
  ])("NO_PROXY %s, URL %s: reached directly is %s", (noProxy, url, directly) => {
    assert.strictEqual(proxyFor(url, { http, https, noProxy }) === undefined, directly)
  })
})

describe("the setting of a proxy", () => {
  it.each(["http://proxy.example:3128", "https://user:p%40ss@proxy.example", "http://[2001:db8::1]:3128/"])(
    "%s may be a proxy",
    (url) => {
      assert.isUndefined(proxyProblem(Redacted.make(url)))
    }
  )

  it.each([
    ["proxy.example:3128", /must be the http\(s\) URL/],
    ["socks5://proxy.example:1080", /must be the http\(s\) URL/],
    ["", /must be the http\(s\) URL/],
    ["http://proxy.example/path", /must end with the port/],
    ["http://proxy.example?hunter2", /must end with the port/],
    ["http://user:100%hunter2@proxy.example", /written as `%25`/],
    ["http://user:%ffhunter2@proxy.example", /written as `%25`/]
  ])("%j is refused as a proxy, and the problem does not quote it", (url, problem) => {
    const message = proxyProblem(Redacted.make(url)) ?? ""
    assert.match(message, problem)
    assert.notInclude(message, "hunter2")
  })
})
