import { assert, describe, it } from "@effect/vitest"
import { OAuthToken } from "@secure-mcp/oauth-core"
import { Answer, ProviderBehaviour } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { requestFor } from "../TestGrants.ts"
import { makeLogin } from "../TestLogin.ts"

const secret = "sk_live_51Nq8FzExample0Key4fG7"

const token = new OAuthToken({
  accessToken: Redacted.make(secret),
  tokenType: "Bearer",
  issuedAt: 0,
  reusable: true
})

const assertMasked = ({ message }: { readonly message: string }) => {
  assert.include(message, "Invalid key [secret], or [secret], or [secret]")
  assert.notInclude(message, "4fG7")
}

describe("a server that repeats a part of the credential in its refusal", () => {
  it.effect.each(["client_secret_post", "client_secret_basic"])(
    "does not show it at the token endpoint (%s)",
    (method) =>
      Effect.gen(function* () {
        const { grants, server } = yield* makeLogin()
        yield* server.always(
          "/token",
          ProviderBehaviour.repeatsInPart(() => secret)
        )
        const request = requestFor({
          token_url: server.endpoint("/token"),
          client_secret: secret,
          use_basic_auth: method === "client_secret_basic"
        })
        assertMasked(yield* Effect.flip(grants.acquire(request, undefined)))
      })
  )

  it.effect("does not show it at the revocation endpoint", () =>
    Effect.gen(function* () {
      const { grants, request, server } = yield* makeLogin()
      yield* server.always(
        "/revoke",
        ProviderBehaviour.repeatsInPart(({ form }) => form.get("token") ?? "")
      )
      assertMasked(yield* Effect.flip(grants.revoke(request, token)))
    })
  )

  it.effect("does not show it at the registration endpoint", () =>
    Effect.gen(function* () {
      const { begin, server } = yield* makeLogin(
        {},
        { client_id: undefined, registration: { software_statement: secret } }
      )
      yield* server.always(
        "/.well-known/oauth-authorization-server",
        Answer.json({
          issuer: server.url,
          token_endpoint: server.endpoint("/token"),
          authorization_endpoint: server.endpoint("/authorize"),
          registration_endpoint: server.endpoint("/register"),
          code_challenge_methods_supported: ["S256"]
        })
      )
      yield* server.always(
        "/register",
        ProviderBehaviour.repeatsInPart(({ body }) => String(JSON.parse(body).software_statement))
      )
      assertMasked(yield* Effect.flip(begin()))
    })
  )
})
