import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { assert, describe, it } from "@effect/vitest"
import { Answer, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import { makeGrants, reasonOf, requestFor } from "../TestGrants.ts"

const clients = [
  ["undici", NodeHttpClient.layerUndici],
  ["node:http", NodeHttpClient.layerNodeHttp],
  ["fetch", FetchHttpClient.layer]
] as const

const statuses = [301, 302, 303, 307, 308] as const

const cases = clients.flatMap(([name, client]) => statuses.map((status) => ({ name, client, status })))

describe("a redirect", () => {
  it.effect.each(cases)("a redirect with $status is not followed by $name", ({ client, status }) =>
    Effect.gen(function* () {
      const [first, second] = yield* Effect.all([
        StubAuthorizationServer.make(),
        StubAuthorizationServer.make()
      ])
      yield* second.always("/token", Answer.token())
      yield* first.always("/token", Answer.redirect(second.endpoint("/token"), status))
      const grants = yield* makeGrants({}, client)
      const error = yield* Effect.flip(
        grants.acquire(requestFor({ token_url: first.endpoint("/token") }), undefined)
      )
      assert.deepStrictEqual(reasonOf(error), {
        _tag: "RedirectRefused",
        endpoint: `the token endpoint ${first.endpoint("/token")}`,
        status
      })
      assert.lengthOf(yield* first.requests, 1)
      assert.lengthOf(yield* second.requests, 0, "the second host receives nothing")
    })
  )
})
