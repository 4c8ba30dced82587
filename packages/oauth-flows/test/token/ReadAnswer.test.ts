import { assert, describe, it } from "@effect/vitest"
import { Answer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { acquireFrom, now } from "../TestGrants.ts"
import { failureOf, makeLogin, responseTo } from "../TestLogin.ts"

const base64url = (text: string) => Buffer.from(text).toString("base64url")

describe("the scope of a token answer", () => {
  const scopes = [
    ["commas separate names if only then one is as requested", "a,b", {}, ["a", "b"]],
    ["commas belong to names if none is as requested", "x,y", {}, ["x,y"]],
    ["commas separate names if the configuration says so", "x,y", { scope_separator: "," }, ["x", "y"]],
    ["spaces separate names, too, where commas do", "x, y", { scope_separator: "," }, ["x", "y"]],
    ["commas belong to names if as many are as requested without them", "a x,y", {}, ["a", "x,y"]]
  ] as const
  it.effect.each(scopes)("%s", ([, scope, oauth, names]) =>
    Effect.gen(function* () {
      const settings = { scope: "a b", validate_scopes: false, ...oauth }
      const { outcome } = yield* acquireFrom(Answer.token({ scope }), settings)
      assert.deepStrictEqual((yield* outcome).scope, names)
    })
  )

  it.effect("a scope that is a list of texts and numbers is refused, and the reason says so", () =>
    Effect.gen(function* () {
      const { outcome } = yield* acquireFrom(Answer.token({ scope: ["a", 7] }), { scope: "a" })
      assert.deepInclude(yield* failureOf(outcome), {
        _tag: "InvalidResponse",
        problem: "its `scope` is neither text nor a list of texts"
      })
    })
  )
})

describe("the lifetime of a token answer", () => {
  it.effect("a person's token that has expired already is refused, with the way out", () =>
    Effect.gen(function* () {
      const { begin, grants, server } = yield* makeLogin()
      yield* server.always("/token", Answer.token({ expires_in: 0 }))
      assert.deepInclude(yield* failureOf(grants.redeem(responseTo(yield* begin()))), {
        _tag: "InvalidResponse",
        problem:
          "its `expires_in` is zero or less: the access token has expired already. If that is wrong, set `default_expires_in`"
      })
    })
  )

  it.effect("the client's own token that has expired already is used once", () =>
    Effect.gen(function* () {
      const { outcome } = yield* acquireFrom(Answer.token({ expires_in: 0 }))
      assert.deepInclude(yield* outcome, { reusable: false, expiresAt: now })
    })
  )

  it.effect("a lifetime is cut to ten years", () =>
    Effect.gen(function* () {
      const { outcome } = yield* acquireFrom(Answer.token({ expires_in: 1e300 }))
      assert.deepInclude(yield* outcome, { reusable: true, expiresAt: now + 315_360_000_000 })
    })
  )

  const claims = base64url(JSON.stringify({ exp: now / 1000 + 90 }))
  it.effect.each([
    ["two parts", `e30.${claims}`],
    ["an endless `exp`", `e30.${base64url('{"exp":1e999}')}.c2ln`],
    ["an `exp` that is no number", `e30.${base64url('{"exp":"soon"}')}.c2ln`]
  ])("a token that is no JWT with a lifetime is used once: %s", ([, access_token]) =>
    Effect.gen(function* () {
      const { outcome } = yield* acquireFrom(Answer.token({ expires_in: undefined, access_token }))
      const token = yield* outcome
      assert.deepStrictEqual([token.reusable, token.expiresAt], [false, undefined])
    })
  )
})
