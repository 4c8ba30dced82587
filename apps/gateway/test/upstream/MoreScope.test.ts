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
  it.effect("gets it, and the client notices nothing", () =>
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

  it.effect("three times, and then that is an error of the gateway", () =>
    Effect.gen(function* () {
      const { requests, scopes, url } = yield* startBefore((_token, response) =>
        forbid(response, insufficient)
      )
      const answer = yield* send(url, ping)
      assert.strictEqual(answer.status, 502)
      assert.deepInclude(failureIn(answer).error.data, { reason: "StepUpExhausted", server_name: "strict" })
      assert.lengthOf(requests, 4)
      assert.lengthOf(yield* scopes, 4)
    })
  )

  it.effect.each(['error="invalid_token"', 'realm="mcp"'])("403 with %s is the server's own answer", (said) =>
    Effect.gen(function* () {
      const { requests, scopes, url } = yield* startBefore((_token, response) => forbid(response, said))
      const answer = yield* send(url, ping)
      assert.deepStrictEqual([answer.status, answer.body.toString()], [403, "forbidden"])
      assert.lengthOf(requests, 1)
      assert.lengthOf(yield* scopes, 1)
    })
  )
})
