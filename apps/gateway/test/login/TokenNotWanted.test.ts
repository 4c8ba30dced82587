import { assert, describe, it } from "@effect/vitest"
import { ProviderBehaviour } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { send } from "../http/RawHttp.ts"
import { startStubProvider } from "./StubProvider.ts"

describe("a server of a personal grant that asks for no token", () => {
  it.effect.each(["authorization_code", "device_code"])(
    "an open request is passed on, and nothing is discovered or registered (%s)",
    (grant_type) =>
      Effect.gen(function* () {
        const { call, stub } = yield* startStubProvider({ grant_type })
        yield* stub.always("/mcp", ProviderBehaviour.protectsResource({ open: () => true }))
        for (const method of ["initialize", "tools/list", "tools/call"])
          assert.deepInclude(yield* call(method), { status: 200, token: "none" })
        const paths = (yield* stub.requests).map(({ path }) => path)
        assert.deepStrictEqual(paths, ["/mcp", "/mcp", "/mcp"])
      })
  )

  it.effect("for some messages leads to a login with the others, and has the token with every one then", () =>
    Effect.gen(function* () {
      const { call, logIn, stub } = yield* startStubProvider()
      const open = (method: string) => method === "tools/list"
      yield* stub.always("/mcp", ProviderBehaviour.protectsResource({ open }))
      assert.strictEqual((yield* call("tools/list")).token, "none")
      assert.strictEqual((yield* call("tools/call")).reason, "AuthorizationRequired")
      assert.include((yield* logIn).text, "Logged in")
      assert.strictEqual((yield* call("tools/list")).token, "access-1-1")
    })
  )

  it.effect("gets a body that is too long to keep, and its refusal leads to a login", () =>
    Effect.gen(function* () {
      const { gateway, stub } = yield* startStubProvider()
      const long = { method: "POST", body: JSON.stringify({ method: "x", text: "m".repeat(5 << 20) }) }
      yield* stub.enqueue("/mcp", ProviderBehaviour.protectsResource({ open: () => true }))
      assert.strictEqual((yield* send(gateway.mcp("echo"), long)).status, 200)
      const refused = yield* send(gateway.mcp("echo"), long)
      assert.include(refused.body.toString(), "AuthorizationRequired")
      assert.lengthOf(yield* stub.requestsTo("/mcp"), 2)
    })
  )

  it.effect("wants a login on another device by the command", () =>
    Effect.gen(function* () {
      const { call } = yield* startStubProvider({ grant_type: "device_code" })
      const answer = yield* call()
      assert.strictEqual(answer.reason, "AuthorizationRequired")
      assert.include(answer.message ?? "", "Run `secure-mcp-gateway login echo`")
      assert.isUndefined(answer.url)
    })
  )
})
