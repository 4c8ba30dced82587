import { AuthorizationServer, tokenExchangeClient } from "@secure-mcp/authorization-server"
import { EchoServer } from "@secure-mcp/echo-server"
import { freePort } from "@secure-mcp/testing"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"

const clientSecret = "the-secret-of-the-gateway"

/**
 * The login of a company on a certified OpenID provider, an MCP server that takes tokens for itself only, and the configuration
 * of a gateway that exchanges the one for the other.
 */
export const startRealCompany = Effect.gen(function* () {
  const port = yield* freePort
  const publicUrl = `http://127.0.0.1:${port}`
  const url = `${publicUrl}/servers/echo/mcp`
  const verifier = yield* Deferred.make<AuthorizationServer["Service"]>()
  const echo: EchoServer["Service"] = yield* EchoServer.make({
    authorize: (header) =>
      Effect.gen(function* () {
        if (header === undefined) return false
        const { verify } = yield* Deferred.await(verifier)
        const token = yield* verify(Redacted.value(header).replace("Bearer ", ""))
        return token.active && token.aud === echo.url
      })
  })
  const provider = yield* AuthorizationServer.make({
    clients: [tokenExchangeClient("gateway", clientSecret)],
    resources: [
      { identifier: url, scopes: ["mcp"], accessTokenFormat: "jwt" },
      { identifier: echo.url, scopes: ["mcp:read"], accessTokenFormat: "jwt" }
    ]
  })
  yield* Deferred.succeed(verifier, provider)
  const document = {
    gateway: {
      port,
      public_url: publicUrl,
      callers: { jwt: [{ issuer: provider.issuer, required_scopes: ["mcp"] }] }
    },
    servers: [
      {
        server_name: "echo",
        config: { url: echo.url },
        oauth: {
          enabled: true,
          grant_type: "token_exchange",
          token_url: provider.tokenEndpoint,
          client_id: "gateway",
          client_secret: clientSecret,
          subject_token: "${caller:token}",
          subject_token_type: "urn:ietf:params:oauth:token-type:access_token",
          resource: echo.url,
          enforce_https: false
        }
      }
    ]
  }
  return { document, echo, provider, url }
})
