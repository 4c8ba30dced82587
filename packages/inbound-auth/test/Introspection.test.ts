import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { TestClock } from "effect/testing"
import { type IntrospectingIssuer, Introspection } from "../src/index.ts"
import { reasonOf, withToken } from "./identify.ts"
import { issuerUrl, makeIssuer, resource } from "./TestIssuer.ts"

const active = { active: true, sub: "ada", aud: resource, scope: "mcp", exp: 3600 }

const start = (answer: (token: string) => unknown, settings: Partial<IntrospectingIssuer> = {}) => {
  const issuer = makeIssuer([])
  const forms: Array<Record<string, string>> = []
  issuer.state.metadata = {
    issuer: issuerUrl,
    introspection_endpoint: `${issuerUrl}/introspect`,
    introspection_endpoint_auth_methods_supported: ["client_secret_post"]
  }
  issuer.state.introspect = (form) => {
    forms.push(Object.fromEntries(form))
    const found = answer(form.get("token") ?? "")
    return found instanceof Response ? found : Response.json(found)
  }
  const layer = Introspection.layer({
    issuer: issuerUrl,
    clientId: "gateway",
    clientSecret: Redacted.make("the-secret"),
    ...settings
  }).pipe(Layer.provide(issuer.network))
  return { issuer, forms, layer }
}

describe("a token that its issuer is asked about", () => {
  it.effect("a token is asked about once in 30 seconds, by our client", () => {
    const { forms, issuer, layer } = start(() => active)
    return Effect.gen(function* () {
      const ask = Effect.forEach(Array.from({ length: 10 }), () => withToken("opaque"), {
        concurrency: "unbounded"
      })
      const [first] = yield* ask
      const caller = first !== undefined && Result.isSuccess(first) ? first.success : assert.fail("refused")
      assert.deepStrictEqual([caller.issuer, caller.subject, caller.scopes], [issuerUrl, "ada", ["mcp"]])
      yield* ask
      assert.deepStrictEqual(forms, [
        {
          token: "opaque",
          token_type_hint: "access_token",
          client_id: "gateway",
          client_secret: "the-secret"
        }
      ])
      yield* TestClock.adjust("30 seconds")
      yield* ask
      assert.lengthOf(forms, 2)
      assert.strictEqual(issuer.countOf(issuer.state.metadataPath), 1)
    }).pipe(Effect.provide(layer))
  })

  it.effect.each([
    ["that is not active", { active: false }, "not valid, or has ended"],
    ["that is active as a text", { ...active, active: "true" }, "not valid, or has ended"],
    ["for another server", { ...active, aud: "https://other.example" }, "for another server"],
    ["for nobody", { ...active, aud: undefined }, "no `aud`"],
    ["without a name", { ...active, sub: undefined }, "no `sub`"],
    ["of another issuer", { ...active, iss: "https://evil.example" }, "of another issuer"],
    ["that is bound to a key", { ...active, cnf: { jkt: "x" } }, "bound to a key"]
  ])("a token %s is refused", ([, answer, reason]) => {
    const { layer } = start(() => answer)
    return Effect.gen(function* () {
      assert.match(reasonOf(yield* withToken("opaque")), new RegExp(`^InvalidToken: .*${reason}`))
    }).pipe(Effect.provide(layer))
  })

  it.effect("a token that ends sooner counts no longer", () => {
    const { forms, layer } = start(() => ({ ...active, exp: 10 }))
    return Effect.gen(function* () {
      yield* withToken("opaque")
      yield* TestClock.adjust("10 seconds")
      yield* withToken("opaque")
      assert.lengthOf(forms, 2)
    }).pipe(Effect.provide(layer))
  })

  it.effect("an issuer that is away, or does not know our client, is no reason to refuse the token", () => {
    const { layer } = start(() => new Response("no", { status: 401 }))
    return Effect.gen(function* () {
      const found = yield* withToken("opaque")
      assert.match(reasonOf(found), /^IssuerUnavailable: The issuer cannot be asked/)
      assert.notInclude(reasonOf(found), "the-secret")
    }).pipe(Effect.provide(layer))
  })

  it.effect("a token that lacks a required scope is refused for that", () => {
    const { layer } = start(() => active, { requiredScopes: ["mcp", "admin"] })
    return Effect.gen(function* () {
      assert.strictEqual(
        reasonOf(yield* withToken("opaque")),
        "InsufficientScope: The token lacks a scope: it must have mcp admin"
      )
    }).pipe(Effect.provide(layer))
  })
})
