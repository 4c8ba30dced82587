import { toNodeHandler } from "@modelcontextprotocol/node"
import {
  createMcpHandler,
  McpServer,
  OAuthError,
  OAuthErrorCode,
  requireBearerAuth
} from "@modelcontextprotocol/server"
import { Answer, ProviderBehaviour, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

const accessToken = "the-access-token"

const makeEndpoint = () => {
  const endpoint = createMcpHandler(() => {
    const server = new McpServer({ name: "weather", version: "1.0.0" })
    server.registerTool("forecast", { description: "Tomorrow's weather" }, () => ({ content: [] }))
    return server
  })
  const verifyAccessToken = (token: string) =>
    token === accessToken
      ? Promise.resolve({ token, clientId: "agent", scopes: [], expiresAt: Date.now() })
      : Promise.reject(new OAuthError(OAuthErrorCode.InvalidToken, "unknown token"))
  return async (request: Request): Promise<Response> => {
    const auth = await requireBearerAuth({ verifier: { verifyAccessToken } })(request)
    return auth instanceof Response ? auth : endpoint.fetch(request, { authInfo: auth })
  }
}

/** An MCP server made with the SDK, whose metadata lead to the stub of an authorization server. */
export const makeTestServers = Effect.gen(function* () {
  const authorizationServer = yield* StubAuthorizationServer.make()
  const serve = toNodeHandler({ fetch: makeEndpoint() })
  const server = createServer((request, response) => {
    if (request.url !== "/.well-known/oauth-protected-resource/mcp")
      return void Reflect.apply(serve, undefined, [request, response])
    const metadata = { resource: url(), authorization_servers: [authorizationServer.url] }
    response.setHeader("content-type", "application/json").end(JSON.stringify(metadata))
  })
  const url = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`
  yield* Effect.acquireRelease(
    Effect.promise(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))),
    () =>
      Effect.sync(() => {
        server.closeAllConnections()
        server.close()
      })
  )
  const { always, endpoint } = authorizationServer
  yield* always(
    "/.well-known/oauth-authorization-server",
    Answer.json({
      issuer: authorizationServer.url,
      token_endpoint: endpoint("/token"),
      authorization_endpoint: endpoint("/authorize"),
      registration_endpoint: endpoint("/register"),
      response_types_supported: ["code"],
      token_endpoint_auth_methods_supported: ["none", "client_secret_basic"],
      code_challenge_methods_supported: ["S256"]
    })
  )
  yield* always("/register", yield* ProviderBehaviour.registersClients())
  yield* always("/authorize", ProviderBehaviour.authorizes())
  yield* always(
    "/token",
    Answer.token({ access_token: accessToken, refresh_token: "the-refresh-token", expires_in: 3600 })
  )
  return { authorizationServer, mcpUrl: url() }
})
