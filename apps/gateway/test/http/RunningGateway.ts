import * as NodeServices from "@effect/platform-node/NodeServices"
import { AuthorizationServer, clientCredentialsClient } from "@secure-mcp/authorization-server"
import {
  decodeGatewayConfig,
  gatewayServer,
  gatewayServices,
  PersonActivity
} from "@secure-mcp/gateway-server"
import { ClientCertificates } from "@secure-mcp/mtls"
import { TokenCache } from "@secure-mcp/oauth-core"
import { Answer, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"

/** The whole gateway on a free port, wired as the command wires it, until the scope closes. */
export const startGateway = Effect.fnUntraced(function* (document: {
  readonly servers: ReadonlyArray<object>
  readonly gateway?: object
  readonly store?: object
}) {
  const config = yield* Effect.fromResult(
    decodeGatewayConfig({ ...document, gateway: { port: 0, ...document.gateway } })
  )
  const logs: Array<string> = []
  const recorder = Logger.make(({ message }) => logs.push(JSON.stringify(message)))
  const services = yield* Layer.build(
    gatewayServer(config).pipe(
      Layer.provideMerge(gatewayServices(config)),
      Layer.provide(ClientCertificates.layer),
      Layer.provide(NodeServices.layer),
      Layer.provide(Logger.layer([recorder]))
    )
  )
  const url = HttpServer.formatAddress(Context.get(services, HttpServer.HttpServer).address)
  const activity = Context.get(services, PersonActivity)
  const tokens = Context.get(services, TokenCache).list
  return { url, mcp: (serverName: string) => `${url}/servers/${serverName}/mcp`, logs, activity, tokens }
})

const clientId = "gateway"
export const clientSecret = "a-secret-of-the-tests"

/** The resource the tokens of the real authorization server are for. */
export const resource = "https://echo.example/mcp"

/** An `oauth` object that both kinds of authorization server understand. */
export const oauthAt = (tokenUrl: string) => ({
  enabled: true,
  version: "2.1",
  grant_type: "client_credentials",
  token_url: tokenUrl,
  client_id: clientId,
  client_secret: clientSecret,
  resource,
  scope: "mcp:read",
  enforce_https: false
})

/** A certified OpenID provider that knows the gateway. */
export const startAuthorizationServer = AuthorizationServer.make({
  clients: [clientCredentialsClient(clientId, clientSecret)],
  resources: [{ identifier: resource, scopes: ["mcp:read"], accessTokenFormat: "opaque" }]
})

/** A token endpoint that gives the tokens `token-1`, `token-2` and so on, unless the test says otherwise. */
export const startTokenEndpoint = Effect.gen(function* () {
  const stub = yield* StubAuthorizationServer.make()
  let issued = 0
  yield* stub.always(
    "/token",
    Answer.respondWith(() => Effect.sync(() => Answer.token({ access_token: `token-${(issued += 1)}` })))
  )
  return { ...stub, oauth: oauthAt(stub.endpoint("/token")) }
})
