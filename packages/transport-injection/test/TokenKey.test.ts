import { assert, describe, it } from "@effect/vitest"
import {
  Grants,
  OAuthHttp,
  OAuthService,
  TokenCache,
  tokenKeyString,
  type OAuthConfig
} from "@secure-mcp/oauth-core"
import {
  accessTokenRequest,
  decodeServerEntry,
  injectAccessToken,
  injectBearer,
  TokenInjector,
  type WireServerEntry
} from "@secure-mcp/transport-injection"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { makeToken } from "./ScriptedOAuthService.ts"

/** `TokenInjector` on a cache that remembers the keys it was asked for. */
const recordKeys = () => {
  const keys: Array<string> = []
  const unused = () => Effect.die("not used here")
  const layer = TokenInjector.layer.pipe(
    Layer.provideMerge(OAuthService.layer),
    Layer.provide([
      Layer.succeed(Grants, {
        acquire: unused,
        authorize: unused,
        redeem: unused,
        authorizeDevice: unused,
        revoke: unused
      }),
      Layer.mock(TokenCache, {
        peek: () => undefined,
        get: ({ key }) =>
          Effect.sync(() => {
            keys.push(tokenKeyString(key))
            return { token: makeToken("the-token"), source: "cache" as const }
          })
      }),
      OAuthHttp.layer.pipe(Layer.provide(httpClient))
    ])
  )
  return { keys, layer: Layer.merge(layer, httpClient) }
}

const httpClient = Layer.succeed(
  HttpClient.HttpClient,
  HttpClient.make((request) => Effect.succeed(HttpClientResponse.fromWeb(request, new Response("welcome"))))
)

const oauth = { enabled: true, grant_type: "authorization_code", client_id: "client" }

const entries: ReadonlyArray<readonly [string, WireServerEntry]> = [
  [
    "an http entry that is discovered",
    { server_name: "remote", config: { url: "https://api.example.com/mcp" }, oauth }
  ],
  [
    "an http entry with endpoints",
    {
      server_name: "remote",
      config: { url: "https://api.example.com/mcp" },
      oauth: {
        ...oauth,
        token_url: "https://auth.example.com/token",
        authorization_url: "https://auth.example.com/authorize"
      }
    }
  ],
  [
    "a stdio entry",
    {
      server_name: "local",
      config: { command: "node" },
      oauth: { ...oauth, issuer: "https://auth.example.com" }
    }
  ]
]

const decode = (wire: WireServerEntry) => Effect.fromResult(decodeServerEntry(wire))

const send = (serverName: string, config: OAuthConfig, resourceUrl: string | undefined) => {
  const url = new URL(resourceUrl ?? "https://local.example.com/")
  return HttpClient.HttpClient.pipe(
    Effect.map(injectBearer({ serverName, config, resourceUrl }, { url })),
    Effect.flatMap((client) => client.post(url))
  )
}

describe("the token key", () => {
  it.effect.each(entries)("the token key of %s is the same for every way to use it", ([, wire]) =>
    Effect.gen(function* () {
      const { keys, layer } = recordKeys()
      yield* Effect.gen(function* () {
        const entry = yield* decode(wire)
        assert.isDefined(entry.oauth)
        yield* injectAccessToken(wire)
        yield* send(entry.serverName, entry.oauth, entry._tag === "Http" ? entry.url : undefined)
        const injector = yield* TokenInjector
        yield* injector.tokenFor(entry)
        const request = accessTokenRequest(entry)
        assert.isDefined(request)
        yield* (yield* OAuthService).getAccessToken(request)
      }).pipe(Effect.provide(layer))
      assert.lengthOf(keys, 4)
      assert.lengthOf(new Set(keys), 1)
    })
  )

  it.effect("the token key of a discovered server differs by URL", () =>
    Effect.gen(function* () {
      const { keys, layer } = recordKeys()
      for (const url of ["https://api.example.com/one", "https://api.example.com/two"])
        yield* Effect.provide(injectAccessToken({ server_name: "remote", config: { url }, oauth }), layer)
      assert.lengthOf(new Set(keys), 2)
    })
  )

  it.effect("the token key has the owner's project, configuration and subject", () =>
    Effect.gen(function* () {
      const { keys, layer } = recordKeys()
      const [, wire] = entries[0]!
      const owner = { projectId: "project", configId: "config", subject: "alice" }
      yield* Effect.provide(injectAccessToken(wire, owner), layer)
      assert.deepInclude(JSON.parse(keys[0] ?? "[]"), "alice")
      assert.match(keys[0] ?? "", /^\["project","config","remote","alice",/)
    })
  )

  it("a request for a token has of its entry the URL, the user agent and the proxies, if it has them", () => {
    const [http, stdio] = [
      { config: { url: "https://api.example.com/mcp" }, user_agent: "agent/1.0", proxy: false },
      { config: { command: "node" } }
    ].map((entry) =>
      accessTokenRequest(
        Result.getOrThrow(
          decodeServerEntry({
            server_name: "remote",
            oauth: { ...oauth, issuer: "https://auth.example.com" },
            ...entry
          })
        )
      )
    )
    const always = ["serverName", "config", "projectId", "configId", "subject"]
    assert.deepInclude(http, {
      resourceUrl: "https://api.example.com/mcp",
      userAgent: "agent/1.0",
      proxies: {}
    })
    assert.hasAllKeys(stdio, always)
  })

  it.effect("an entry without oauth needs no token", () =>
    Effect.gen(function* () {
      const { keys, layer } = recordKeys()
      const entry = yield* decode({ server_name: "remote", config: { url: "https://api.example.com/mcp" } })
      assert.isUndefined(accessTokenRequest(entry))
      assert.isUndefined(
        yield* Effect.provide(
          TokenInjector.use((injector) => injector.tokenFor(entry)),
          layer
        )
      )
      assert.deepStrictEqual(keys, [])
    })
  )
})
