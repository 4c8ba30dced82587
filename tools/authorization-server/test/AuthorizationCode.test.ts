import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { createHash, randomBytes } from "node:crypto"
import { AuthorizationServer } from "@secure-mcp/authorization-server"
import { postForm } from "./postForm.ts"

const resource = "https://mcp.example.com/mcp"
const redirectUri = "http://127.0.0.1/callback"
const options = {
  clients: [
    {
      client_id: "app",
      application_type: "native",
      token_endpoint_auth_method: "none",
      grant_types: ["authorization_code", "refresh_token"],
      redirect_uris: [redirectUri]
    }
  ],
  resources: [{ identifier: resource, scopes: ["mcp:read"], accessTokenFormat: "opaque" }]
} as const

const verifier = randomBytes(32).toString("base64url")

const authorizationUrl = (server: AuthorizationServer["Service"]) =>
  `${server.authorizationEndpoint}?${new URLSearchParams({
    client_id: "app",
    response_type: "code",
    redirect_uri: redirectUri,
    scope: "mcp:read",
    resource,
    state: "state",
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256"
  })}`

/** Walks through the pages like a browser, filling in every form, until the client is called back. */
const signIn = (url: string, form: Record<string, string>) =>
  Effect.promise(async () => {
    const cookies = new Map<string, string>()
    let next = url
    let pages = 0
    for (let step = 0; step < 10; step += 1) {
      if (next.startsWith(redirectUri)) return { callback: new URL(next), pages }
      const isPage = new URL(next).pathname.startsWith("/interaction/")
      pages += isPage ? 1 : 0
      const answer = await fetch(next, {
        method: isPage ? "POST" : "GET",
        redirect: "manual",
        headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; ") },
        body: isPage ? new URLSearchParams(form) : null
      })
      for (const cookie of answer.headers.getSetCookie()) {
        const [pair = ""] = cookie.split(";")
        cookies.set(pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1))
      }
      next = new URL(answer.headers.get("location") ?? "", next).href
    }
    throw new Error(`No callback after ten steps; stopped at ${next}`)
  })

describe("authorization code", () => {
  it.effect("the code grant signs a person in, asks for consent, and issues tokens that refresh", () =>
    Effect.gen(function* () {
      const server = yield* AuthorizationServer.make(options)
      const { callback, pages } = yield* signIn(authorizationUrl(server), { login: "alice" })
      assert.strictEqual(pages, 2, "login and consent")
      assert.strictEqual(callback.searchParams.get("iss"), server.issuer)
      assert.strictEqual(callback.searchParams.get("state"), "state")

      const token = yield* postForm(server.tokenEndpoint, {
        grant_type: "authorization_code",
        client_id: "app",
        code: callback.searchParams.get("code") ?? "",
        code_verifier: verifier,
        redirect_uri: redirectUri,
        resource
      })
      assert.deepInclude(yield* server.verify(token.accessToken), {
        active: true,
        sub: "alice",
        client_id: "app",
        aud: resource,
        scope: "mcp:read"
      })

      yield* server.revokeAccessTokens
      assert.deepStrictEqual(yield* server.verify(token.accessToken), { active: false })
      const refresh = { grant_type: "refresh_token", client_id: "app" }
      const renewed = yield* postForm(server.tokenEndpoint, {
        ...refresh,
        refresh_token: String(token.body["refresh_token"])
      })
      assert.deepInclude(yield* server.verify(renewed.accessToken), { active: true, sub: "alice" })

      yield* server.revokeAll
      const refused = yield* postForm(server.tokenEndpoint, {
        ...refresh,
        refresh_token: String(renewed.body["refresh_token"])
      })
      assert.deepInclude(refused.body, { error: "invalid_grant" })
    })
  )

  it.effect("the client is told that the person refused", () =>
    Effect.gen(function* () {
      const server = yield* AuthorizationServer.make(options)
      const { callback } = yield* signIn(authorizationUrl(server), { deny: "" })
      assert.strictEqual(callback.searchParams.get("error"), "access_denied")
    })
  )

  it.effect("the page shows a form", () =>
    Effect.gen(function* () {
      const server = yield* AuthorizationServer.make(options)
      const html = yield* Effect.promise(async () => {
        const start = await fetch(authorizationUrl(server), { redirect: "manual" })
        const page = new URL(start.headers.get("location") ?? "", server.issuer)
        const cookie = start.headers
          .getSetCookie()
          .map((line) => line.split(";")[0])
          .join("; ")
        return (await fetch(page, { headers: { cookie } })).text()
      })
      assert.include(html, 'name="login"')
    })
  )
})
