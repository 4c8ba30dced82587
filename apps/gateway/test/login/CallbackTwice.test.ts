import { assert, describe, it } from "@effect/vitest"
import { ProviderBehaviour } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { visit } from "./Person.ts"
import { startStubProvider } from "./StubProvider.ts"

describe("a callback that is visited more than once", () => {
  it.effect("shows each visitor that the person is logged in, and sends the code once", () =>
    Effect.gen(function* () {
      const { call, callbackOf, sent } = yield* startStubProvider()
      const { headers, url } = yield* callbackOf((yield* call()).url)
      assert.strictEqual((yield* visit(url, { method: "HEAD", headers })).status, 200)
      assert.isEmpty(yield* sent("authorization_code"), "a link preview does not log in")
      const prefetch = visit(url, { headers: { ...headers, "sec-purpose": "prefetch" } })
      const again = visit(url, { headers })
      const visits = yield* Effect.all([prefetch, again, again], { concurrency: "unbounded" })
      for (const page of [...visits, yield* again])
        assert.deepInclude({ ...page, text: /Logged in/.test(page.text) }, { status: 200, text: true })
      assert.lengthOf(yield* sent("authorization_code"), 1)
      assert.strictEqual((yield* call()).token, "access-1-1")
    })
  )

  it.effect("shows each visitor that the login was denied", () =>
    Effect.gen(function* () {
      const { call, callbackOf, stub } = yield* startStubProvider()
      yield* stub.always("/authorize", ProviderBehaviour.authorizes({ error: "access_denied" }))
      const { headers, url } = yield* callbackOf((yield* call()).url)
      const first = yield* visit(url, { headers })
      assert.deepStrictEqual(yield* visit(url, { headers }), first)
      assert.strictEqual(first.status, 400)
      assert.include(first.text, "access_denied")
    })
  )

  it.effect("with another code, or a foreign state, is refused", () =>
    Effect.gen(function* () {
      const { call, callbackOf, sent } = yield* startStubProvider()
      const { headers, url } = yield* callbackOf((yield* call()).url)
      yield* visit(url, { headers })
      for (const [name, value] of [
        ["code", "another"],
        ["state", "foreign"]
      ] as const) {
        const other = new URL(url)
        other.searchParams.set(name, value)
        const page = yield* visit(other.href, { headers })
        assert.strictEqual(page.status, 400)
        assert.include(page.text, "Not logged in")
      }
      assert.lengthOf(yield* sent("authorization_code"), 1)
    })
  )

  it.effect("without the promised `iss` shows the server's error with that remark", () =>
    Effect.gen(function* () {
      const { call, callbackOf, stub } = yield* startStubProvider(
        {},
        { authorization_response_iss_parameter_supported: true }
      )
      yield* stub.always("/authorize", ProviderBehaviour.authorizes({ error: "access_denied" }))
      const link = (yield* call()).url
      const { headers, url } = yield* callbackOf(link)
      const page = yield* visit(url, { headers })
      assert.include(page.text, "access_denied")
      assert.include(page.text, "RFC 9207")
      const next = yield* callbackOf((yield* call()).url)
      const stateOf = (address: string) => new URL(address).searchParams.get("state")
      assert.notStrictEqual(stateOf(next.url), stateOf(url), "that login has ended")
    })
  )
})
