import { AuthorizationServer, tokenExchangeClient } from "@secure-mcp/authorization-server"
import { EchoServer } from "@secure-mcp/echo-server"
import { freePort } from "@secure-mcp/testing"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { serve } from "./Cast.ts"

const clientId = "demo-gateway"
const clientSecret = "a-secret-of-the-demo"
const serverNames = ["wiki", "tickets"] as const

/** A company's provider, its MCP server, and a gateway between them and the company's people, until the scope closes. */
export const startCompany = Effect.gen(function* () {
  const port = yield* freePort
  const gatewayUrl = `http://127.0.0.1:${port}`
  const mcpUrlOf = (name: (typeof serverNames)[number]) => `${gatewayUrl}/servers/${name}/mcp`
  const verifier = yield* Deferred.make<AuthorizationServer["Service"]>()

  /** It accepts only tokens that are for itself. */
  const echoServer: EchoServer["Service"] = yield* EchoServer.make({
    authorize: (authorization) =>
      Effect.gen(function* () {
        if (authorization === undefined) return false
        const { verify } = yield* Deferred.await(verifier)
        const token = yield* verify(Redacted.value(authorization).replace(/^Bearer /, ""))
        return token.active && token.aud === echoServer.url
      })
  })
  const provider = yield* AuthorizationServer.make({
    clients: [tokenExchangeClient(clientId, clientSecret)],
    resources: [
      ...serverNames.map((name) => ({
        identifier: mcpUrlOf(name),
        scopes: ["mcp"],
        accessTokenFormat: "jwt" as const
      })),
      { identifier: echoServer.url, scopes: ["mcp:read"], accessTokenFormat: "jwt" }
    ]
  })
  yield* Deferred.succeed(verifier, provider)

  const onBehalf = {
    enabled: true,
    grant_type: "token_exchange",
    token_url: provider.tokenEndpoint,
    client_id: clientId,
    client_secret: "${env:CLIENT_SECRET}",
    subject_token: "${caller:token}",
    subject_token_type: "urn:ietf:params:oauth:token-type:access_token",
    resource: echoServer.url,
    enforce_https: false
  }
  const document = {
    gateway: {
      port,
      public_url: gatewayUrl,
      callers: { jwt: [{ issuer: provider.issuer, required_scopes: ["mcp"] }] }
    },
    store: { type: "memory" },
    servers: serverNames.map((name) => ({
      server_name: name,
      config: { url: echoServer.url },
      oauth: onBehalf
    }))
  }
  yield* serve(document, { CLIENT_SECRET: clientSecret })
  return { echoServer, mcpUrlOf, provider }
})

/** What the story of the company is told with. */
export type Company = Effect.Success<typeof startCompany>
