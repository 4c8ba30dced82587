import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { type Answer, ProviderBehaviour, StubAuthorizationServer } from "../src/index.ts"

interface Response {
  readonly status: number
  readonly location: string | null
  readonly body: Readonly<Record<string, unknown>>
}

const request = (url: string, init?: RequestInit) =>
  Effect.promise(async (): Promise<Response> => {
    const response = await fetch(url, { redirect: "manual", ...init })
    const text = await response.text()
    const body = text.startsWith("{") ? JSON.parse(text) : {}
    return { status: response.status, location: response.headers.get("location"), body }
  })

const serve = Effect.fnUntraced(function* (answer: Answer) {
  const server = yield* StubAuthorizationServer.make()
  yield* server.always("/", answer)
  return {
    get: (query = "") => request(server.endpoint(`/${query}`)),
    post: (form: Readonly<Record<string, string>>) =>
      request(server.endpoint("/"), { method: "POST", body: new URLSearchParams(form) }),
    register: (metadata: unknown) =>
      request(server.endpoint("/"), { method: "POST", body: JSON.stringify(metadata) })
  }
})

const refresh = (token: unknown) => ({ grant_type: "refresh_token", refresh_token: String(token) })

const code = { grant_type: "authorization_code" }

describe("a stub that behaves like a provider", () => {
  it.effect("refuses a refresh token in the provider's own words, and no other grant", () =>
    Effect.gen(function* () {
      const server = yield* serve(
        ProviderBehaviour.refusesRefresh({ error: "bad_refresh_token", status: 401 })
      )
      assert.strictEqual((yield* server.post(code)).status, 200)
      const { body, status } = yield* server.post(refresh("any"))
      assert.deepStrictEqual({ body, status }, { body: { error: "bad_refresh_token" }, status: 401 })
    })
  )

  it.effect("refuses a refresh token without an error code", () =>
    Effect.gen(function* () {
      const server = yield* serve(ProviderBehaviour.refusesRefresh({ error: undefined }))
      assert.deepStrictEqual((yield* server.post(refresh("any"))).body, {})
    })
  )

  it.effect("rotates refresh tokens and ends the grant when one is used again, but no other grant", () =>
    Effect.gen(function* () {
      const server = yield* serve(yield* ProviderBehaviour.rotatesRefreshTokens)
      const first = yield* server.post(code)
      const other = yield* server.post(code)
      const second = yield* server.post(refresh(first.body["refresh_token"]))
      assert.strictEqual(second.status, 200)
      assert.strictEqual((yield* server.post(refresh(first.body["refresh_token"]))).status, 400)
      assert.strictEqual((yield* server.post(refresh(second.body["refresh_token"]))).status, 400)
      assert.strictEqual((yield* server.post(refresh(other.body["refresh_token"]))).status, 200)
    })
  )

  it.effect("repeats the scope with another separator", () =>
    Effect.gen(function* () {
      const server = yield* serve(ProviderBehaviour.separatesScopeBy(","))
      assert.strictEqual((yield* server.post({ ...code, scope: "a b" })).body["scope"], "a,b")
    })
  )

  it.effect("registers each client under another id and leaves out what it is told to", () =>
    Effect.gen(function* () {
      const server = yield* serve(
        yield* ProviderBehaviour.registersClients({ omit: ["token_endpoint_auth_method"] })
      )
      const metadata = { client_name: "A", token_endpoint_auth_method: "none" }
      assert.deepStrictEqual((yield* server.register(metadata)).body, {
        client_name: "A",
        client_id: "client-1"
      })
      assert.strictEqual((yield* server.register(metadata)).body["client_id"], "client-2")
    })
  )

  it.effect("sends a person back with a code, the state and the issuer", () =>
    Effect.gen(function* () {
      const server = yield* serve(ProviderBehaviour.authorizes({ issuer: "https://issuer.example" }))
      const { location } = yield* server.get("?client_id=a&state=s&redirect_uri=http://127.0.0.1/callback")
      assert.strictEqual(
        location,
        "http://127.0.0.1/callback?code=stub-code&state=s&iss=https%3A%2F%2Fissuer.example"
      )
    })
  )

  it.effect("shows an error to the person whose client it does not know, and sends no one back", () =>
    Effect.gen(function* () {
      const server = yield* serve(ProviderBehaviour.authorizes({ unknownClients: ["gone"] }))
      const { location, status } = yield* server.get("?client_id=gone&redirect_uri=http://127.0.0.1/callback")
      assert.deepStrictEqual({ location, status }, { location: null, status: 400 })
    })
  )

  it.effect("compresses an answer that was not requested compressed", () =>
    Effect.gen(function* () {
      const server = yield* serve(ProviderBehaviour.compresses({ access_token: "a" }))
      assert.deepStrictEqual((yield* server.get()).body, { access_token: "a" })
    })
  )
})
