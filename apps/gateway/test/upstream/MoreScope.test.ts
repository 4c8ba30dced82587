import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import { failureIn, ping, send, serveRaw } from "../http/RawHttp.ts"
import { startGateway, startTokenEndpoint } from "../http/RunningGateway.ts"

type Answer = (token: string | undefined, response: ServerResponse) => void

const startBefore = Effect.fnUntraced(function* (answer: Answer) {
  const tokenEndpoint = yield* startTokenEndpoint
  const requests: Array<IncomingMessage> = []
  const upstream = yield* serveRaw((request, response) => {
    requests.push(request)
    request.resume().on("end", () => answer(request.headers.authorization, response))
  })
  const gateway = yield* startGateway({
    servers: [{ server_name: "strict", config: { url: upstream.url }, oauth: tokenEndpoint.oauth }]
  })
  const scopes = Effect.map(tokenEndpoint.requestsTo("/token"), (asked) =>
    asked.map(({ form }) => form.get("scope"))
  )
  return { requests, scopes, url: gateway.mcp("strict") }
})

const forbid = (response: ServerResponse, parameters: string) =>
  response.writeHead(403, { "www-authenticate": `Bearer ${parameters}` }).end("forbidden")

const insufficient = 'error="insufficient_scope", scope="mcp:write"'

describe("a server that wants more scope (RFC 6750 §3.1)", () => {
  it.effect("a server that wants more scope gets it without the client noticing", () =>
    Effect.gen(function* () {
      const { requests, scopes, url } = yield* startBefore((token, response) =>
        token === "Bearer token-1" ? forbid(response, insufficient) : response.end("fine")
      )
      const answer = yield* send(url, ping)
      assert.deepStrictEqual([answer.status, answer.body.toString()], [200, "fine"])
      assert.lengthOf(requests, 2)
      assert.deepStrictEqual(yield* scopes, ["mcp:read", "mcp:read mcp:write"])
    })
  )

  it.effect("a server that still wants more scope after three tokens is an error of the gateway", () =>
    Effect.gen(function* () {
      const { requests, scopes, url } = yield* startBefore((_token, response) =>
        forbid(response, insufficient)
      )
      const answer = yield* send(url, ping)
      assert.strictEqual(answer.status, 502)
      assert.deepInclude(failureIn(answer).error.data, { reason: "StepUpExhausted", server_name: "strict" })
      assert.lengthOf(requests, 3)
      assert.lengthOf(yield* scopes, 3)
      const next = failureIn(yield* send(url, ping))
      assert.deepInclude(next.error.data, { reason: "StepUpExhausted" })
      assert.lengthOf(yield* scopes, 3, "the next request begins no new round")
    })
  )

  it.effect.each([400, 403])(
    "an expired token that is refused with HTTP %d and invalid_token is replaced",
    (status) =>
      Effect.gen(function* () {
        const { scopes, url } = yield* startBefore((token, response) =>
          token === "Bearer token-1"
            ? response.writeHead(status, { "www-authenticate": 'Bearer error="invalid_token"' }).end()
            : response.end("fine")
        )
        const answer = yield* send(url, ping)
        assert.deepStrictEqual([answer.status, answer.body.toString()], [200, "fine"])
        assert.lengthOf(yield* scopes, 2)
      })
  )

  it.effect.each([
    [403, 'realm="mcp"'],
    [400, 'error="invalid_request"']
  ] as const)("HTTP %d with %s is passed on unchanged", ([status, said]) =>
    Effect.gen(function* () {
      const { requests, scopes, url } = yield* startBefore((_token, response) =>
        response.writeHead(status, { "www-authenticate": `Bearer ${said}` }).end("no")
      )
      const answer = yield* send(url, ping)
      assert.deepStrictEqual([answer.status, answer.body.toString()], [status, "no"])
      assert.lengthOf(requests, 1)
      assert.lengthOf(yield* scopes, 1)
    })
  )
})
