import { assert, describe, it } from "@effect/vitest"
import {
  injectAccessToken,
  injectToken,
  tokenVariables,
  type WireServerEntry
} from "@secure-mcp/transport-injection"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import { scriptedOAuthService, wireOAuth } from "./ScriptedOAuthService.ts"

const token = Redacted.make("the-token")

const deepFreeze = <A>(value: A): A => {
  if (typeof value === "object" && value !== null) {
    Object.values(value).forEach(deepFreeze)
    Object.freeze(value)
  }
  return value
}

const httpEntry: WireServerEntry = deepFreeze({
  server_name: "remote",
  config: { url: "https://api.example.com/mcp", transport: "http", headers: { "X-Team": "blue" } },
  oauth: wireOAuth
})

const stdioEntry: WireServerEntry = deepFreeze({
  server_name: "local",
  config: { command: "node", args: ["server.js"], env: { PATH: "/bin" } },
  oauth: wireOAuth
})

describe("injectToken", () => {
  it("adds the header to an entry with a url and keeps everything else", () => {
    assert.deepStrictEqual(injectToken(httpEntry, token), {
      ...httpEntry,
      config: { ...httpEntry.config, headers: { "X-Team": "blue", Authorization: "Bearer the-token" } }
    })
  })

  it("recognises an entry reached over HTTP by its url alone, or by its transport alone", () => {
    for (const config of [{ url: "https://api.example.com/mcp" }, { transport: "http" }]) {
      assert.deepStrictEqual(
        injectToken(deepFreeze({ server_name: "a", config, oauth: wireOAuth }), token).config,
        {
          ...config,
          headers: { Authorization: "Bearer the-token" }
        }
      )
    }
  })

  it("sends one Authorization header, however the other is spelt", () => {
    const config = { url: "https://api.example.com/mcp", headers: { AUTHORIZATION: "Basic x" } }
    assert.deepStrictEqual(
      injectToken({ server_name: "a", config, oauth: wireOAuth }, token).config.headers,
      {
        Authorization: "Bearer the-token"
      }
    )
  })

  it("adds the variable to an entry with a command and keeps the others", () => {
    assert.deepStrictEqual(injectToken(stdioEntry, token), {
      ...stdioEntry,
      config: { ...stdioEntry.config, env: { PATH: "/bin", ENKRYPT_ACCESS_TOKEN: "the-token" } }
    })
  })

  it("uses the variables of oauth.token_env instead, one or several", () => {
    const envOf = (token_env: NonNullable<WireServerEntry["oauth"]>["token_env"] & {}) =>
      injectToken(deepFreeze({ ...stdioEntry, oauth: { ...wireOAuth, token_env } }), token).config.env
    assert.deepStrictEqual(envOf("MCP_TOKEN"), { PATH: "/bin", MCP_TOKEN: "the-token" })
    assert.deepStrictEqual(envOf(["A", "B"]), { PATH: "/bin", A: "the-token", B: "the-token" })
    assert.deepStrictEqual(envOf({ name: "AUTH_HEADER", format: "Bearer {token}" }), {
      PATH: "/bin",
      AUTH_HEADER: "Bearer the-token"
    })
    assert.deepStrictEqual(envOf(["A", { name: "B", format: "{token}!" }, { name: "C" }]), {
      PATH: "/bin",
      A: "the-token",
      B: "the-token!",
      C: "the-token"
    })
  })

  it("writes the token into a format byte for byte", () => {
    const odd = Redacted.make("$&-{token}-$1")
    assert.deepStrictEqual(tokenVariables({ name: "A", format: "Bearer {token}" }, odd), {
      A: "Bearer $&-{token}-$1"
    })
  })

  it("makes the environment of an entry that has none", () => {
    const entry = deepFreeze({ server_name: "a", config: { command: "node" }, oauth: wireOAuth })
    assert.deepStrictEqual(injectToken(entry, token).config, {
      command: "node",
      env: { ENKRYPT_ACCESS_TOKEN: "the-token" }
    })
  })

  it("returns the same entry when no token is wanted", () => {
    const { enabled: _, ...withoutEnabled } = wireOAuth
    const off: ReadonlyArray<WireServerEntry> = [
      { server_name: "a", config: { command: "node" } },
      { ...httpEntry, oauth: { ...wireOAuth, enabled: false } },
      { ...httpEntry, oauth: withoutEnabled }
    ]
    for (const entry of off) assert.strictEqual(injectToken(entry, token), entry)
  })
})

describe("tokenVariables", () => {
  it("carries the token in ENKRYPT_ACCESS_TOKEN unless told otherwise", () => {
    assert.deepStrictEqual(tokenVariables(undefined, token), { ENKRYPT_ACCESS_TOKEN: "the-token" })
    assert.deepStrictEqual(tokenVariables(["A", "B"], token), { A: "the-token", B: "the-token" })
  })
})

describe("injectAccessToken", () => {
  it.effect("asks for the owner's token and injects it", () =>
    Effect.gen(function* () {
      const service = scriptedOAuthService("the-token")
      const owner = { projectId: "project", configId: "config", subject: "alice" }
      const entry = yield* Effect.provide(injectAccessToken(httpEntry, owner), service.layer)
      assert.strictEqual(entry.config.headers?.["Authorization"], "Bearer the-token")
      const request = service.calls[0]?.request
      assert.deepStrictEqual(
        [request?.serverName, request?.projectId, request?.configId, request?.subject],
        ["remote", "project", "config", "alice"]
      )
      assert.strictEqual(request?.config.tokenUrl, wireOAuth.token_url)
    })
  )

  it.effect("fails without a token, and the entry stays as it is", () =>
    Effect.gen(function* () {
      const error = yield* injectAccessToken(stdioEntry).pipe(
        Effect.flip,
        Effect.provide(scriptedOAuthService().layer)
      )
      assert.isTrue(Predicate.isTagged(error, "OAuthError"))
      assert.notProperty(stdioEntry.config.env, "ENKRYPT_ACCESS_TOKEN")
    })
  )

  it.effect("requests no token when the entry is not valid", () =>
    Effect.gen(function* () {
      const service = scriptedOAuthService("the-token")
      const error = yield* injectAccessToken({
        ...httpEntry,
        config: { url: "http://api.example.com/mcp" }
      }).pipe(Effect.flip, Effect.provide(service.layer))
      assert.isTrue(Predicate.isTagged(error, "ConfigError"))
      assert.include(error.message, "config.url: must be https")
      assert.deepStrictEqual(service.calls, [])
    })
  )

  it.effect("requests no token without oauth.enabled", () =>
    Effect.gen(function* () {
      const service = scriptedOAuthService()
      const entry = { ...httpEntry, oauth: { ...wireOAuth, enabled: false } }
      assert.strictEqual(yield* Effect.provide(injectAccessToken(entry), service.layer), entry)
      assert.deepStrictEqual(service.calls, [])
    })
  )

  it.effect("an entry without oauth.enabled is returned unchecked", () =>
    Effect.gen(function* () {
      const entry: WireServerEntry = { server_name: "", config: { url: "no address" } }
      const service = scriptedOAuthService()
      assert.strictEqual(yield* Effect.provide(injectAccessToken(entry), service.layer), entry)
    })
  )
})
