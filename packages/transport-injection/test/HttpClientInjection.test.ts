import { assert, describe, it } from "@effect/vitest"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { injectBearer } from "@secure-mcp/transport-injection"
import * as Effect from "effect/Effect"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"
import { inspect } from "node:util"
import { makeTokens, personalRequest } from "./RefusedTokens.ts"
import { makeResourceServer, takesOnly } from "./ResourceServer.ts"
import { accessTokenRequest, scriptedOAuthService } from "./ScriptedOAuthService.ts"

const clients: Readonly<Record<string, Layer.Layer<HttpClient.HttpClient>>> = {
  fetch: NodeHttpClient.layerFetch,
  undici: NodeHttpClient.layerUndici,
  "node:http": NodeHttpClient.layerNodeHttp
}

const clientFor = (url: URL | string) =>
  Effect.map(HttpClient.HttpClient, injectBearer(accessTokenRequest, { url }))

for (const [name, layer] of Object.entries(clients)) {
  describe(`injectBearer on ${name}`, () => {
    it.effect("sends the token and returns the answer", () =>
      Effect.gen(function* () {
        const server = yield* makeResourceServer(takesOnly("first"))
        const service = scriptedOAuthService("first")
        const client = yield* clientFor(server.url)
        const response = yield* Effect.provide(client.get(server.url), service.layer)
        assert.deepStrictEqual([response.status, yield* response.text], [200, "welcome"])
        assert.deepStrictEqual(server.seen, [{ authorization: "Bearer first", path: "/mcp", body: "" }])
        assert.lengthOf(service.calls, 1)
      }).pipe(Effect.provide(layer))
    )

    it.effect("sends the token to a server whose URL is a string", () =>
      Effect.gen(function* () {
        const server = yield* makeResourceServer(takesOnly("first"))
        const client = yield* clientFor(server.url.href)
        yield* Effect.provide(client.get(server.url), scriptedOAuthService("first").layer)
        assert.deepStrictEqual(
          server.seen.map(({ authorization }) => authorization),
          ["Bearer first"]
        )
      }).pipe(Effect.provide(layer))
    )

    it.effect("a URL that no request can match is an error, and nothing is sent", () =>
      Effect.gen(function* () {
        const server = yield* makeResourceServer(takesOnly("first"))
        for (const url of [`${server.url.host}/mcp`, "/mcp", "file:///mcp", new URL("data:,mcp")]) {
          const client = yield* clientFor(url)
          const service = scriptedOAuthService("first")
          const error = yield* client.get(server.url).pipe(Effect.flip, Effect.provide(service.layer))
          assert.include(error.message, "`url` of `injectBearer`", String(url))
          assert.lengthOf(service.calls, 0)
        }
        assert.lengthOf(server.seen, 0)
      }).pipe(Effect.provide(layer))
    )

    it.effect("repeats once with a fresh token, body and all", () =>
      Effect.gen(function* () {
        const form = new FormData()
        form.set("a", "1")
        const bodies: Readonly<Record<string, HttpBody.HttpBody>> = {
          empty: HttpBody.empty,
          bytes: HttpBody.text('{"jsonrpc":"2.0"}'),
          raw: HttpBody.raw("raw text"),
          form: HttpBody.formData(form)
        }
        for (const [kind, body] of Object.entries(bodies)) {
          const server = yield* makeResourceServer(takesOnly("fresh"))
          const service = scriptedOAuthService("stale", "fresh")
          const client = yield* clientFor(server.url)
          const response = yield* Effect.provide(client.post(server.url, { body }), service.layer)
          assert.deepStrictEqual([kind, yield* response.text], [kind, "welcome"])
          const [first, second, ...more] = server.seen
          assert.deepStrictEqual(
            [first?.authorization, second?.authorization],
            ["Bearer stale", "Bearer fresh"]
          )
          assert.deepStrictEqual(more, [])
          assert.strictEqual(fieldsOf(first?.body), fieldsOf(second?.body))
        }
      }).pipe(Effect.provide(layer))
    )

    it.effect("fails with UpstreamUnauthorized after the second 401", () =>
      Effect.gen(function* () {
        const server = yield* makeResourceServer(takesOnly("none"))
        const client = yield* clientFor(server.url)
        const error = yield* client
          .get(server.url)
          .pipe(Effect.flip, Effect.provide(scriptedOAuthService("one", "two").layer))
        assert(Predicate.isTagged(error, "OAuthError"))
        assert.isTrue(Predicate.isTagged(error.reason, "UpstreamUnauthorized"))
        assert.lengthOf(server.seen, 2)
      }).pipe(Effect.provide(layer))
    )

    it.effect("requests more scope after a 403 that says so, and returns any other 403", () =>
      Effect.gen(function* () {
        const server = yield* makeResourceServer(({ authorization }, response) => {
          if (authorization === "Bearer wide") return void response.end("welcome")
          const error = authorization === "Bearer narrow" ? "insufficient_scope" : "access_denied"
          response.writeHead(403, { "www-authenticate": `Bearer error="${error}", scope="mcp:write"` }).end()
        })
        const service = scriptedOAuthService("narrow", "wide", "other")
        const client = yield* clientFor(server.url)
        const response = yield* Effect.provide(client.get(server.url), service.layer)
        assert.strictEqual(yield* response.text, "welcome")
        const [, refresh] = service.calls
        assert.deepInclude(refresh, { refused: "narrow" })
        assert(refresh?.call === "refresh")
        assert.deepInclude(refresh.challenge, { error: "insufficient_scope", scope: "mcp:write" })
        const other = scriptedOAuthService("other")
        assert.strictEqual((yield* Effect.provide(client.get(server.url), other.layer)).status, 403)
        assert.lengthOf(other.calls, 1)
      }).pipe(Effect.provide(layer))
    )

    it.effect("sends nothing without a token", () =>
      Effect.gen(function* () {
        const server = yield* makeResourceServer(takesOnly("none"))
        const client = yield* clientFor(server.url)
        const error = yield* client
          .get(server.url)
          .pipe(Effect.flip, Effect.provide(scriptedOAuthService().layer))
        assert.isTrue(Predicate.isTagged(error, "OAuthError"))
        assert.deepStrictEqual(server.seen, [])
      }).pipe(Effect.provide(layer))
    )

    it.effect("returns the 401 to a body that can be read only once, and has the token replaced", () =>
      Effect.gen(function* () {
        const server = yield* makeResourceServer(takesOnly("fresh"))
        const service = scriptedOAuthService("stale", "fresh")
        const client = yield* clientFor(server.url)
        const send = Effect.suspend(() =>
          client.post(server.url, { body: HttpBody.stream(Stream.make(new TextEncoder().encode("once"))) })
        ).pipe(Effect.provide(service.layer))
        const refused = yield* send
        assert.deepStrictEqual([refused.status, yield* refused.text], [401, "go away"])
        assert.lengthOf(server.seen, 1)
        assert.strictEqual((yield* send).status, 200)
        assert.deepStrictEqual(
          service.calls.map(({ call }) => call),
          ["getAccessToken", "refresh", "getAccessToken"]
        )
      }).pipe(Effect.provide(layer))
    )

    it.effect("releases a refusal whose body never ends", () =>
      Effect.gen(function* () {
        const server = yield* makeResourceServer((request, response) => {
          if (request.authorization === "Bearer fresh") response.end("welcome")
          else response.writeHead(401, { "Content-Type": "text/plain" }).write("and another thing: ")
        })
        const client = yield* clientFor(server.url)
        const response = yield* Effect.provide(
          client.get(server.url),
          scriptedOAuthService("stale", "fresh").layer
        )
        assert.strictEqual(yield* response.text, "welcome")
        yield* server.hungUp
      }).pipe(Effect.provide(layer))
    )

    it.effect("leaves no connection open when a refused token cannot be replaced", () =>
      Effect.gen(function* () {
        const server = yield* makeResourceServer((_, response) => {
          response.writeHead(401).end(Buffer.alloc(200_000))
        })
        const client = yield* clientFor(server.url)
        for (const body of [
          HttpBody.text("repeatable"),
          HttpBody.stream(Stream.make(new TextEncoder().encode("once")))
        ]) {
          for (let count = 0; count < 20; count++) {
            const error = yield* client
              .post(server.url, { body })
              .pipe(Effect.flip, Effect.provide(scriptedOAuthService("stale").layer))
            assert.isTrue(Predicate.isTagged(error, "OAuthError"))
          }
          yield* server.connectionsAtMost(1)
        }
        assert.lengthOf(server.seen, 40)
      }).pipe(Effect.provide(layer))
    )

    it.effect("gives another origin no token, and leaves what was there", () =>
      Effect.gen(function* () {
        const own = yield* makeResourceServer(takesOnly("first"))
        const other = yield* makeResourceServer(takesOnly("first"))
        const service = scriptedOAuthService("first")
        const client = yield* clientFor(own.url)
        const response = yield* Effect.provide(client.get(other.url), service.layer)
        assert.strictEqual(response.status, 401)
        yield* Effect.provide(
          client.get(other.url, { headers: { authorization: "Basic own" } }),
          service.layer
        )
        assert.deepStrictEqual(
          other.seen.map(({ authorization }) => authorization),
          [undefined, "Basic own"]
        )
        assert.deepStrictEqual(service.calls, [])
      }).pipe(Effect.provide(layer))
    )

    it.effect("checks the origin that a request ends up with, not the one it was written with", () =>
      Effect.gen(function* () {
        const own = yield* makeResourceServer(takesOnly("first"))
        const other = yield* makeResourceServer(takesOnly("first"))
        const elsewhere = (yield* clientFor(own.url)).pipe(
          HttpClient.mapRequest(HttpClientRequest.setUrl(other.url))
        )
        yield* Effect.provide(elsewhere.get(own.url), scriptedOAuthService("first").layer)
        assert.deepStrictEqual(own.seen, [])
        assert.deepStrictEqual(
          other.seen.map(({ authorization }) => authorization),
          [undefined]
        )
      }).pipe(Effect.provide(layer))
    )

    it.effect("returns a redirect instead of following it", () =>
      Effect.gen(function* () {
        const other = yield* makeResourceServer(takesOnly("first"))
        const own = yield* makeResourceServer((_, response) => {
          response.writeHead(307, { Location: other.url.href }).end()
        })
        const service = scriptedOAuthService("first")
        const client = yield* clientFor(own.url)
        const response = yield* Effect.provide(client.get(own.url), service.layer)
        assert.strictEqual(response.status, 307)
        assert.deepStrictEqual(other.seen, [])

        const followed = yield* Effect.provide(HttpClient.followRedirects(client).get(own.url), service.layer)
        assert.strictEqual(followed.status, 401)
        assert.deepStrictEqual(
          other.seen.map(({ authorization }) => authorization),
          [undefined]
        )
      }).pipe(Effect.provide(layer))
    )

    it.effect("shows no token in the error of a server that cannot be reached", () =>
      Effect.gen(function* () {
        const server = yield* Effect.scoped(makeResourceServer(takesOnly("none")))
        const client = yield* clientFor(server.url)
        const error = yield* client
          .get(server.url)
          .pipe(Effect.flip, Effect.provide(scriptedOAuthService("canary-token").layer))
        assert.isTrue(Predicate.isTagged(error, "HttpClientError"))
        assert.notInclude(
          `${error.message} ${JSON.stringify(error)} ${inspect(error, { depth: 9 })}`,
          "canary-token"
        )
      }).pipe(Effect.provide(layer))
    )
  })
}

describe("injectBearer on fetch", () => {
  it.effect("repeats every body that is in memory", () =>
    Effect.gen(function* () {
      const form = new FormData()
      form.set("a", "1")
      const bytes = new TextEncoder().encode("bytes")
      const bodies = ["text", bytes, bytes.buffer, new Blob(["blob"]), form, new URLSearchParams({ a: "1" })]
      for (const body of bodies) {
        const server = yield* makeResourceServer(takesOnly("fresh"))
        const client = yield* clientFor(server.url)
        const response = yield* Effect.provide(
          client.post(server.url, { body: HttpBody.raw(body) }),
          scriptedOAuthService("stale", "fresh").layer
        )
        assert.strictEqual(yield* response.text, "welcome")
        const [first, second] = server.seen.map((request) => fieldsOf(request.body))
        assert.strictEqual(first, second)
        assert.notStrictEqual(first, "")
      }
    }).pipe(Effect.provide(NodeHttpClient.layerFetch))
  )

  it.effect("sends no Authorization where a person has to log in first", () =>
    Effect.gen(function* () {
      const server = yield* makeResourceServer((_, response) => response.end("open"))
      const request = personalRequest("alice")
      const client = Effect.map(HttpClient.HttpClient, injectBearer(request, { url: server.url }))
      const response = yield* client.pipe(
        Effect.flatMap((each) => each.get(server.url)),
        Effect.provide(makeTokens().layer)
      )
      assert.strictEqual(yield* response.text, "open")
      assert.deepStrictEqual(server.seen, [{ authorization: undefined, path: "/mcp", body: "" }])
    }).pipe(Effect.provide(NodeHttpClient.layerFetch))
  )

  it.effect("keeps the caller's other fetch options", () =>
    Effect.gen(function* () {
      const server = yield* makeResourceServer(takesOnly("first"))
      const seen: Array<RequestInit | undefined> = []
      const client = yield* clientFor(server.url)
      yield* client.get(server.url).pipe(
        Effect.provide(scriptedOAuthService("first").layer),
        Effect.provideService(NodeHttpClient.RequestInit, { redirect: "follow", cache: "no-store" }),
        Effect.provideService(NodeHttpClient.Fetch, (input, init) => {
          seen.push(init)
          return fetch(input, init)
        })
      )
      assert.deepStrictEqual(
        seen.map((init) => [init?.redirect, init?.cache]),
        [["manual", "no-store"]]
      )
    }).pipe(Effect.provide(NodeHttpClient.layerFetch))
  )
})

/** A form's boundary is another one each time it is sent. */
const fieldsOf = (body: string | undefined) => body?.replaceAll(/-{2,}\S+/g, "boundary")
