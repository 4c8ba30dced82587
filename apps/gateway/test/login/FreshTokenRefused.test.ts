import { assert, describe, it } from "@effect/vitest"
import { ProviderBehaviour } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { startStubProvider } from "./StubProvider.ts"

const takesOnly = (prefix: string) =>
  ProviderBehaviour.protectsResource({ takes: (token) => token.startsWith(prefix) })

describe("a person's token that is refused although it is fresh", () => {
  it.effect("a refused grant is refreshed once, and then the person is told where to log in", () =>
    Effect.gen(function* () {
      const { call, logIn, sent, stub } = yield* startStubProvider()
      yield* logIn
      assert.strictEqual((yield* call()).token, "access-1-1")
      yield* stub.always("/mcp", takesOnly("access-2-"))
      for (let count = 1; count <= 3; count += 1)
        assert.strictEqual((yield* call()).reason, "AuthorizationRequired")
      assert.lengthOf(yield* sent("refresh_token"), 1)
      yield* TestClock.adjust("1 second")
      assert.include((yield* logIn).text, "Logged in")
      assert.strictEqual((yield* call()).token, "access-2-1")
    })
  )

  it.effect("a login that does not help is an error with what to check, and no other login begins", () =>
    Effect.gen(function* () {
      const { call, logIn, sent, stub } = yield* startStubProvider()
      yield* logIn
      yield* stub.always("/mcp", takesOnly("nothing"))
      assert.strictEqual((yield* call()).reason, "AuthorizationRequired")
      yield* TestClock.adjust("1 second")
      yield* logIn
      for (let count = 1; count <= 3; count += 1) {
        const answer = yield* call()
        assert.strictEqual(answer.reason, "UpstreamUnauthorized")
        assert.include(answer.message ?? "", "Check `audience`, `resource` and `scope`")
        assert.isUndefined(answer.url)
      }
      assert.lengthOf(yield* sent("authorization_code"), 2)
      assert.lengthOf(yield* sent("refresh_token"), 2)
      yield* TestClock.adjust("11 minutes")
      assert.strictEqual((yield* call()).reason, "AuthorizationRequired")
    })
  )

  it.effect.each([400, 403])("a refusal by HTTP %d with invalid_token counts, too", (status) =>
    Effect.gen(function* () {
      const { call, logIn, stub } = yield* startStubProvider()
      yield* logIn
      const takes = (token: string) => token === "access-1-2"
      yield* stub.always("/mcp", ProviderBehaviour.protectsResource({ status, takes }))
      assert.strictEqual((yield* call()).token, "access-1-2")
    })
  )
})

describe("a server that asks a person for more scope again and again", () => {
  const challenge = 'Bearer error="insufficient_scope", scope="mcp:write"'
  const refuses = ProviderBehaviour.protectsResource({ status: 403, challenge, takes: () => false })

  it.effect("gets three authorizations in all", () =>
    Effect.gen(function* () {
      const { call, logIn, sent, stub } = yield* startStubProvider()
      yield* logIn
      yield* stub.always("/mcp", refuses)
      for (let login = 2; login <= 3; login += 1) {
        assert.strictEqual((yield* call()).reason, "AuthorizationRequired")
        yield* logIn
      }
      const before = (yield* stub.requestsTo("/token")).length
      assert.strictEqual((yield* call()).reason, "StepUpExhausted")
      assert.lengthOf(yield* stub.requestsTo("/token"), before)
      assert.lengthOf(yield* sent("authorization_code"), 3)
    })
  )

  it.effect("a demand for a granted scope gets a refreshed token first", () =>
    Effect.gen(function* () {
      const { call, logIn, sent, stub } = yield* startStubProvider({ scope: "mcp:write" })
      yield* logIn
      const takes = (token: string) => token === "access-1-2"
      yield* stub.always("/mcp", ProviderBehaviour.protectsResource({ status: 403, challenge, takes }))
      assert.strictEqual((yield* call()).token, "access-1-2")
      assert.lengthOf(yield* sent("authorization_code"), 1)
    })
  )
})
