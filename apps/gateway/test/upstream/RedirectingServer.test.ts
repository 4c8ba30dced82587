import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http"
import { text } from "node:stream/consumers"
import { failureIn, ping, rpc, send, serveRaw } from "../http/RawHttp.ts"
import { startGateway, startTokenEndpoint } from "../http/RunningGateway.ts"

const redirectTo = (response: ServerResponse, status: number, location?: string) =>
  response.writeHead(status, location === undefined ? {} : { location }).end("moved")

/** A server that redirects every request to `/mcp` and says what reached any other path. */
const startRedirecting = Effect.fnUntraced(function* (
  redirect: RequestListener,
  answer: (request: IncomingMessage, response: ServerResponse) => void = (_request, response) => {
    response.end("{}")
  }
) {
  const received: Array<string> = []
  const upstream = yield* serveRaw(async (request, response) => {
    if (request.url === "/mcp") return redirect(request, response)
    const { authorization = "none" } = request.headers
    received.push(`${request.method} ${request.url} ${authorization} ${await text(request)}`)
    answer(request, response)
  })
  const { oauth } = yield* startTokenEndpoint
  const config = { url: upstream.url, headers: { "x-own": "of-the-entry" } }
  const gateway = yield* startGateway({
    servers: [
      { server_name: "plain", config },
      { server_name: "with-token", config, oauth }
    ]
  })
  return { gateway, received, upstream }
})

describe("a server that redirects within its origin", () => {
  for (const status of [307, 308]) {
    it.effect(`${status} is followed for every method, with the body and the token`, () =>
      Effect.gen(function* () {
        const { gateway, received } = yield* startRedirecting((_request, response) =>
          redirectTo(response, status, "/mcp/?tenant=7#part")
        )
        for (const [name, token] of [
          ["plain", "none"],
          ["with-token", "Bearer token-1"]
        ] as const) {
          for (const method of ["POST", "GET", "DELETE"]) {
            const body = method === "POST" ? "{}" : ""
            const answer = yield* send(gateway.mcp(name), { method, body })
            assert.strictEqual(answer.status, 200)
            assert.strictEqual(received.pop(), `${method} /mcp/?tenant=7 ${token} ${body}`)
          }
        }
      })
    )
  }

  it.effect("the log names the address to configure, once for a server", () =>
    Effect.gen(function* () {
      const { gateway, upstream } = yield* startRedirecting((_request, response) =>
        redirectTo(response, 307, `${upstream.url}/`)
      )
      yield* send(gateway.mcp("plain"), ping)
      yield* send(gateway.mcp("plain"), ping)
      const lines = gateway.logs.filter((line) => line.includes("redirects every request"))
      assert.lengthOf(lines, 1)
      assert.include(lines.join(), `${upstream.url}/: configure that address`)
    })
  )

  it.effect("a token that is refused behind the redirect is replaced, and the request repeated", () =>
    Effect.gen(function* () {
      const { gateway, received } = yield* startRedirecting(
        (_request, response) => redirectTo(response, 307, "/other"),
        ({ headers }, response) =>
          response.writeHead(headers.authorization === "Bearer token-2" ? 200 : 401).end("{}")
      )
      const answer = yield* send(gateway.mcp("with-token"), { method: "POST", body: "{}" })
      assert.strictEqual(answer.status, 200)
      assert.deepStrictEqual(received, ["POST /other Bearer token-1 {}", "POST /other Bearer token-2 {}"])
    })
  )

  it.effect("a second redirect is not followed", () =>
    Effect.gen(function* () {
      const { gateway, received } = yield* startRedirecting(
        (_request, response) => redirectTo(response, 307, "/once"),
        (_request, response) => redirectTo(response, 307, "/twice")
      )
      const answer = yield* send(gateway.mcp("plain"), ping)
      assert.strictEqual(answer.status, 502)
      assert.lengthOf(received, 1)
      assert.include(gateway.logs.join(), "/twice")
    })
  )

  it.effect("a body too large to buffer is not sent again: the log names the address to configure", () =>
    Effect.gen(function* () {
      const { gateway, received, upstream } = yield* startRedirecting((request, response) =>
        request.resume().on("end", () => redirectTo(response, 308, "/mcp/"))
      )
      const body = Buffer.alloc(5 * 1024 * 1024, "a")
      const answer = yield* send(gateway.mcp("plain"), { method: "POST", body })
      assert.strictEqual(answer.status, 502)
      assert.strictEqual(failureIn(answer).error.data.reason, "UpstreamRedirected")
      assert.include(gateway.logs.join(), `${upstream.url}/, which is not followed with a body`)
      assert.isEmpty(received)
    })
  )
})

describe("a server that redirects elsewhere", () => {
  it.effect("nothing is sent there, the client learns of the redirect, and the log of the other origin", () =>
    Effect.gen(function* () {
      const strangers: Array<string | undefined> = []
      const stranger = yield* serveRaw((request, response) => {
        strangers.push(request.headers.authorization)
        response.end()
      })
      let status = 307
      const { gateway } = yield* startRedirecting((_request, response) =>
        redirectTo(response, status, `${stranger.url}?key=secret`)
      )
      for (status of [301, 302, 303, 307, 308]) {
        for (const name of ["plain", "with-token"]) {
          for (const method of ["POST", "GET", "DELETE"]) {
            const answer = yield* send(gateway.mcp(name), method === "POST" ? ping : { method })
            assert.strictEqual(answer.status, 502)
            assert.notProperty(answer.headers, "location")
            const { error } = failureIn(answer)
            assert.deepInclude(error.data, { reason: "UpstreamRedirected", server_name: name })
            assert.include(error.message, `answered with a redirect: HTTP status ${status}`)
            const { host, origin } = new URL(stranger.url)
            assert.notInclude(answer.body.toString(), host)
            assert.include(gateway.logs.join(), `to ${origin}, which is not followed`)
            assert.notInclude(gateway.logs.join(), "secret")
            gateway.logs.length = 0
          }
        }
      }
      assert.isEmpty(strangers)
    })
  )

  it.effect("the error carries the id as it was sent, past 2^53", () =>
    Effect.gen(function* () {
      const { gateway } = yield* startRedirecting((_request, response) => redirectTo(response, 307))
      const answer = yield* send(gateway.mcp("plain"), {
        ...rpc({}),
        body: '{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}'
      })
      assert.include(answer.body.toString(), '"id":9007199254740993,')
    })
  )

  it.effect("301, 302 and 303 are followed for GET only", () =>
    Effect.gen(function* () {
      for (const status of [301, 302, 303]) {
        const { gateway, received } = yield* startRedirecting((_request, response) =>
          redirectTo(response, status, "/mcp/")
        )
        assert.strictEqual((yield* send(gateway.mcp("plain"), ping)).status, 502)
        assert.strictEqual((yield* send(gateway.mcp("plain"), { method: "DELETE" })).status, 502)
        assert.strictEqual((yield* send(gateway.mcp("plain"))).status, 200)
        assert.deepStrictEqual(received, ["GET /mcp/ none "])
      }
    })
  )
})

describe("an answer that leads past the gateway", () => {
  const headersOf = Effect.fnUntraced(function* (
    status: number,
    headers: Record<string, string | Array<string>>
  ) {
    const upstream = yield* serveRaw((_request, response) => response.writeHead(status, headers).end())
    const gateway = yield* startGateway({
      servers: [{ server_name: "raw", config: { url: upstream.url } }]
    })
    const answer = yield* send(gateway.mcp("raw"), ping)
    assert.strictEqual(answer.status, status)
    return answer.headers
  })

  it.effect("it loses the headers that name the server's own address or speak of it", () =>
    Effect.gen(function* () {
      const leading = {
        "alt-svc": 'h2="mcp.example:443"',
        "clear-site-data": '"*"',
        "content-location": "https://mcp.example/mcp/",
        link: '<https://mcp.example/mcp/>; rel="canonical"',
        location: "https://mcp.example/mcp/",
        refresh: "0; url=https://mcp.example/mcp/",
        "strict-transport-security": "max-age=31536000; includeSubDomains"
      }
      for (const status of [200, 201, 202, 300, 304, 400, 503]) {
        const headers = yield* headersOf(status, { ...leading, "x-end": "kept", "retry-after": "7" })
        for (const name of Object.keys(leading)) assert.notProperty(headers, name, `${status}`)
        assert.deepInclude(headers, { "x-end": "kept", "retry-after": "7" })
      }
    })
  )

  const challenges: ReadonlyArray<readonly [string | Array<string>, string]> = [
    ['Bearer resource_metadata="https://mcp.example/meta"', "Bearer"],
    [
      'Bearer error="invalid_token", resource_metadata="https://mcp.example/meta"',
      'Bearer error="invalid_token"'
    ],
    [
      'Bearer Resource_Metadata = https://mcp.example/meta , scope="a b", realm="m, n"',
      'Bearer scope="a b", realm="m, n"'
    ],
    ['Bearer resource_metadata="https://mcp.example/meta", Basic realm="m"', 'Bearer , Basic realm="m"'],
    [['Bearer resource_metadata="https://mcp.example/meta"', 'Basic realm="m"'], 'Bearer, Basic realm="m"'],
    [
      'Bearer error_description="no resource_metadata=x here"',
      'Bearer error_description="no resource_metadata=x here"'
    ],
    ["Negotiate abc==, Basic", "Negotiate abc==, Basic"],
    ["Bearer realm=m, ,\t, resource_metadata=x , ,", "Bearer realm=m"],
    ['Bearer resource_metadata="https://mcp.example/', "Bearer"],
    ['Bearer error="does not end \\"', 'Bearer error="does not end \\"']
  ]
  for (const [challenge, forwarded] of challenges) {
    it.effect(`the challenge ${String(challenge)} loses the server's metadata and nothing else`, () =>
      Effect.gen(function* () {
        const headers = yield* headersOf(401, { "www-authenticate": challenge })
        assert.strictEqual(headers["www-authenticate"], forwarded)
      })
    )
  }
})
