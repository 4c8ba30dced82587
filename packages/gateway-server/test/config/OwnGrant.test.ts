import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import {
  accessTokenRequest,
  decodeGatewayConfig,
  gatewayServices,
  loadConfigFile
} from "@secure-mcp/gateway-server"
import { ClientCertificates } from "@secure-mcp/mtls"
import { endpointProblem, OAuthService } from "@secure-mcp/oauth-core"
import { Flow } from "@secure-mcp/oauth-flows"
import { Answer, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

const saml = Flow.tokenRequest({
  grantType: "saml",
  keys: {
    saml_assertion: Schema.RedactedFromValue(Schema.NonEmptyString),
    saml_url: Schema.optionalKey(Schema.String)
  },
  rules: ({ config, keys }) => {
    const message = keys.saml_url === undefined ? undefined : endpointProblem(keys.saml_url, config)
    return message === undefined ? [] : [{ path: ["saml_url"], message }]
  },
  parameters: ({ keys }) => Effect.succeed({ grant_type: "saml2", assertion: keys.saml_assertion })
})

const documentWith = (oauth: Readonly<Record<string, unknown>>) => ({
  store: { type: "memory" },
  servers: [
    {
      server_name: "remote",
      config: { url: "https://mcp.example.com/mcp" },
      oauth: { enabled: true, grant_type: "saml", client_id: "gateway", enforce_https: false, ...oauth }
    }
  ]
})

const problemsOf = (document: unknown) => {
  const decoded = decodeGatewayConfig(document, { grants: [saml] })
  return Result.isFailure(decoded)
    ? decoded.failure.problems.map(({ message, path }) => `${path.join(".")}: ${message}`)
    : []
}

const platform = ClientCertificates.layer.pipe(Layer.provideMerge(NodeServices.layer))

describe("a gateway with a grant of its own", () => {
  it("the keys of an own grant are checked with the rest of the file, at their places in it", () => {
    const document = documentWith({ saml_url: "ftp://idp", saml_asertion: "x", scope: 5 })
    assert.deepStrictEqual(problemsOf(document), [
      "servers.0.oauth.saml_asertion: unknown key: did you mean `saml_assertion`?",
      "servers.0.oauth.scope: Expected string",
      "servers.0.oauth.saml_assertion: required"
    ])
    assert.deepStrictEqual(problemsOf(documentWith({ saml_assertion: "x", saml_url: "ftp://idp" })), [
      "servers.0.oauth.saml_url: must be an absolute http(s) URL"
    ])
  })

  it("the keys of an own grant are checked in an entry that is not enabled yet", () => {
    const [entry] = documentWith({ saml_assertion: "x", saml_asertion: "y" }).servers
    const { enabled: _, ...oauth } = { ...entry?.oauth }
    assert.deepStrictEqual(problemsOf({ servers: [{ ...entry, oauth }] }), [
      "servers.0.oauth.saml_asertion: unknown key: did you mean `saml_assertion`?"
    ])
  })

  it.effect("a file that names an own grant, with a secret from another file, gets tokens by its flow", () =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      yield* server.always("/token", Answer.token({ access_token: "by-saml" }))
      const files = yield* FileSystem.FileSystem
      const directory = yield* files.makeTempDirectoryScoped()
      yield* files.writeFileString(`${directory}/assertion`, "PHNhbWw\n")
      const document = documentWith({
        token_url: server.endpoint("/token"),
        saml_assertion: "${file:assertion}"
      })
      yield* files.writeFileString(`${directory}/gateway.json`, JSON.stringify(document))
      const config = yield* loadConfigFile(`${directory}/gateway.json`, { grants: [saml] })
      const request = config.servers[0] && accessTokenRequest(config.servers[0], config, undefined)
      assert(request !== undefined)
      const { token } = yield* Effect.flatMap(OAuthService, ({ getAccessToken }) =>
        getAccessToken(request)
      ).pipe(Effect.provide(gatewayServices(config, { flows: [saml] })))
      assert.strictEqual(Redacted.value(token.accessToken), "by-saml")
      const [sent] = yield* server.requestsTo("/token")
      assert.deepInclude(Object.fromEntries(sent?.form ?? []), { grant_type: "saml2", assertion: "PHNhbWw" })
    }).pipe(Effect.provide(platform))
  )
})
