import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import { createHash } from "node:crypto"
import { IncomingMessage, type OutgoingHttpHeaders } from "node:http"
import { Socket } from "node:net"
import { callersOfWorker } from "../../src/callers/GatewayCallers.ts"
import { decodeGatewaySettings } from "../../src/config/GatewaySettings.ts"
import { makeAccess } from "../../src/http/Access.ts"
import { isPreflight, originHeaders, preflightHeaders } from "../../src/http/CrossOrigin.ts"
import { pageHeaders, textPage } from "../../src/login/BrowserPage.ts"

/** A request as Node reads it; the names of headers as they were written. */
const requestOf = (
  headers: ReadonlyArray<readonly [name: string, value: string]>,
  { httpVersion = "1.1", method = "GET", url = "/mcp" } = {}
) => {
  const message = new IncomingMessage(new Socket())
  message.rawHeaders = headers.flat()
  for (const [name, value] of headers) message.headers[name.toLowerCase()] ??= value
  return Object.assign(message, { httpVersion, method, url })
}

const accessWith = (given: object = {}) => {
  const settings = Result.getOrThrow(decodeGatewaySettings({ allowed_hosts: ["own.example"], ...given }))
  return makeAccess(settings, callersOfWorker(settings))
}

const noHost = {
  status: 400,
  message: "The request must have one Host header that names a host (RFC 9112 §3.2)"
}
const otherHost = {
  status: 403,
  message: "The Host header names another machine. Add the name to gateway.allowed_hosts"
}
const otherPage = {
  status: 403,
  message: "The Origin header names a page of another machine. Add its host to gateway.allowed_hosts"
}
const unnamedPage = {
  status: 403,
  message:
    "A page of another site made the browser send this without an Origin header. Call the gateway with fetch in mode cors, or open the address by hand"
}

describe("the site of a request", () => {
  const hosts = [
    ["own.example", undefined],
    ["OWN.example:8080", undefined],
    ["localhost:3000", undefined],
    ["192.0.2.1", undefined],
    ["[2001:db8::1]:80", undefined],
    ["the-host", undefined],
    ["other.example", otherHost],
    ["", noHost],
    [":80", noHost]
  ] as const
  it.each(hosts)("the host %j is decided in the same way each time", (host, expected) => {
    const { checkSite } = accessWith({ host: "The-Host" })
    for (let time = 0; time < 2; time += 1)
      assert.deepStrictEqual(checkSite(requestOf([["Host", host]])), expected)
  })

  it("a host that is admitted as the only one is not admitted beside another one, or for another target", () => {
    const { checkSite } = accessWith()
    const own = ["Host", "own.example"] as const
    assert.isUndefined(checkSite(requestOf([own])))
    assert.deepStrictEqual(checkSite(requestOf([own, ["hOST", "own.example"]])), noHost)
    assert.deepStrictEqual(checkSite(requestOf([own], { url: "http://other.example/mcp" })), otherHost)
    assert.isUndefined(checkSite(requestOf([["Host", "other.example"]], { url: "https://own.example/" })))
    assert.deepStrictEqual(checkSite(requestOf([["Host", "other.example"]])), otherHost)
    assert.deepStrictEqual(checkSite(requestOf([["From", "own.example"]])), noHost)
    assert.isUndefined(checkSite(requestOf([], { httpVersion: "1.0" })))
    assert.deepStrictEqual(checkSite(requestOf([])), noHost)
  })

  it("more than a hundred hosts are admitted and refused as before", () => {
    const { checkSite } = accessWith()
    for (let n = 0; n < 250; n += 1) {
      assert.isUndefined(checkSite(requestOf([["Host", `192.0.2.${n}`]])))
      assert.deepStrictEqual(checkSite(requestOf([["Host", `${n}.example`]])), otherHost)
    }
  })

  const origins = [
    ["https://own.example", undefined],
    ["HTTPS://OWN.example:8443", undefined],
    ["http://localhost:1", undefined],
    ["http://192.0.2.1:9", undefined],
    ["http://192.0.2.2", otherPage],
    ["https://other.example", otherPage],
    ["https://own.example/path", otherPage],
    ["https://own.example https://other.example", otherPage],
    ["null", otherPage],
    ["", otherPage]
  ] as const
  it.each(origins)("a page of the origin %j is decided by its host alone", (origin, expected) => {
    const request = requestOf([
      ["Host", "192.0.2.1"],
      ["Origin", origin]
    ])
    assert.deepStrictEqual(accessWith().checkSite(request), expected)
  })

  it("a page that does not name itself is refused if the browser says that it is of another site", () => {
    const from = (site: string) =>
      accessWith().checkSite(
        requestOf([
          ["Host", "localhost"],
          ["Sec-Fetch-Site", site]
        ])
      )
    assert.deepStrictEqual(from("cross-site"), unnamedPage)
    for (const site of ["same-origin", "same-site", "none"]) assert.isUndefined(from(site))
  })
})

describe("the caller of a request", () => {
  const plain = "a-key-without-a-subject"
  const settings = { api_keys: [{ subject: "alice", key: "the-key-that-alice-holds" }, plain] }
  const subjectOf = (authorization: string | undefined, access = accessWith(settings)) => {
    const headers = authorization === undefined ? [] : [["Authorization", authorization] as const]
    const identified = access.identify(requestOf(headers))
    assert.isTrue(Result.isResult(identified), "an API key is known at once")
    return Result.isResult(identified) ? Result.map(identified, ({ subject }) => subject) : undefined
  }
  const digest = createHash("sha256").update(plain).digest("hex").slice(0, 16)

  it.each([
    ["Bearer the-key-that-alice-holds", "alice"],
    ["bearer   the-key-that-alice-holds", "alice"],
    [`Bearer ${plain}`, `key-${digest}`]
  ])("%j stands for %s", (authorization, subject) => {
    assert.deepStrictEqual(subjectOf(authorization), Result.succeed(subject))
  })

  it.each([
    [undefined],
    [""],
    ["Bearer "],
    ["Bearer undefined"],
    ["Bearer another-key"],
    ["Basic the-key-that-alice-holds"],
    ["Bearer the-key-that-alice-holds more"]
  ])("%j stands for nobody", (authorization) => {
    assert.deepStrictEqual(
      subjectOf(authorization),
      Result.fail({
        status: 401,
        message: "This gateway wants one of its API keys as Authorization: Bearer",
        headers: { "www-authenticate": 'Bearer realm="secure-mcp-gateway"' }
      })
    )
  })

  it("a gateway without keys knows nobody and refuses nobody, and of equal keys the first one counts", () => {
    assert.deepStrictEqual(subjectOf(undefined, accessWith()), Result.succeed(undefined))
    const key = "the-key-that-both-hold"
    const both = accessWith({
      api_keys: [
        { subject: "first", key },
        { subject: "second", key }
      ]
    })
    assert.deepStrictEqual(subjectOf(`Bearer ${key}`, both), Result.succeed("first"))
  })
})

describe("what a page may read and send", () => {
  const asked = { origin: "https://own.example", "access-control-request-method": "POST" }
  const withHeaders = (headers: Readonly<Record<string, string>>, method = "OPTIONS") =>
    requestOf(Object.entries(headers), { method })

  it("an answer names the origin that may read it, and always differs by it", () => {
    assert.deepStrictEqual(originHeaders(withHeaders({})), ["vary", "Origin"])
    assert.deepStrictEqual(originHeaders(withHeaders(asked)), [
      "vary",
      "Origin",
      "access-control-allow-origin",
      "https://own.example",
      "access-control-expose-headers",
      "Mcp-Session-Id, MCP-Protocol-Version, WWW-Authenticate"
    ])
  })

  it("a preflight is OPTIONS with an origin and the method that the page wants", () => {
    const { origin, ...withoutOrigin } = asked
    assert.isTrue(isPreflight(withHeaders(asked)))
    assert.isFalse(isPreflight(withHeaders(asked, "POST")))
    assert.isFalse(isPreflight(withHeaders(withoutOrigin)))
    assert.isFalse(isPreflight(withHeaders({ origin })))
  })

  const mcpHeaders =
    "accept, authorization, content-type, last-event-id, mcp-method, mcp-name, mcp-protocol-version, mcp-session-id"
  const answers: ReadonlyArray<readonly [string, Readonly<Record<string, string>>, OutgoingHttpHeaders]> = [
    ["nothing", {}, { "access-control-allow-headers": mcpHeaders }],
    [
      "headers of its own",
      { "access-control-request-headers": "Accept , X-Own,no name" },
      { "access-control-allow-headers": `${mcpHeaders}, x-own` }
    ],
    [
      "a private network",
      { "access-control-request-private-network": "true" },
      { "access-control-allow-headers": mcpHeaders, "access-control-allow-private-network": "true" }
    ]
  ]
  it.each(answers)("a preflight that asks for %s is answered exactly", (_, headers, answer) => {
    assert.deepStrictEqual(
      { ...preflightHeaders(withHeaders({ ...asked, ...headers })) },
      {
        "access-control-allow-methods": "GET, POST, DELETE",
        "access-control-max-age": "7200",
        vary: "Origin, Access-Control-Request-Headers",
        ...answer
      }
    )
  })
})

describe("the pages for a browser", () => {
  const [, style = ""] = /<style>([^]*)<\/style>/.exec(textPage(200, "Done").html) ?? []
  const styleSource = `'sha256-${createHash("sha256").update(style).digest("base64")}'`

  it("a page is HTML that nobody keeps, frames or learns the address of", () => {
    assert.deepStrictEqual(pageHeaders(), {
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      "referrer-policy": "no-referrer",
      "content-security-policy": `default-src 'none'; style-src ${styleSource}; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`,
      "x-frame-options": "DENY",
      "x-content-type-options": "nosniff",
      connection: "close"
    })
  })

  it("a page without words of its own says that the window can be closed", () => {
    assert.include(textPage(200, "Done").html, "<h1>Done</h1>\n<p>You can close this window.</p>")
  })
})
