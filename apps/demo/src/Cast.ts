import { AuthorizationServer, clientCredentialsClient } from "@secure-mcp/authorization-server"
import { EchoServer } from "@secure-mcp/echo-server"
import {
  gatewayServer,
  gatewayServices,
  loadConfigFile,
  type GatewayConfig
} from "@secure-mcp/gateway-server"
import { ClientCertificates } from "@secure-mcp/mtls"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { fileURLToPath } from "node:url"

const clientId = "demo-gateway"
const clientSecret = "a-secret-of-the-demo"
const resource = "https://echo.demo.example/mcp"

/** What the demo runs: an authorization server, and two echo servers behind a gateway, all on this machine. */
export const startCast = Effect.gen(function* () {
  const authorizationServer = yield* AuthorizationServer.make({
    clients: [clientCredentialsClient(clientId, clientSecret)],
    resources: [{ identifier: resource, scopes: ["mcp:read", "mcp:write"], accessTokenFormat: "opaque" }]
  })
  const echoServer = yield* EchoServer.make({ authorize: isActiveAt(authorizationServer) })
  const config = yield* writeConfig(configuration(authorizationServer.tokenEndpoint, echoServer.url))
  const services = yield* Layer.build(gatewayFor(config))
  return {
    authorizationServer,
    echoServer,
    config,
    services,
    gatewayUrl: HttpServer.formatAddress(Context.get(services, HttpServer.HttpServer).address)
  }
})

/** The echo server accepts only tokens that its authorization server reports as active. */
const isActiveAt =
  ({ verify }: AuthorizationServer["Service"]) =>
  (authorization: Redacted.Redacted | undefined) => {
    const token = authorization && Redacted.value(authorization).replace(/^Bearer /, "")
    return token === undefined ? Effect.succeed(false) : Effect.map(verify(token), ({ active }) => active)
  }

/** The example configuration of the documentation, with addresses on this machine. */
const configuration = (tokenUrl: string, echoUrl: string) => {
  const oauth = {
    enabled: true,
    version: "2.1",
    grant_type: "client_credentials",
    token_url: tokenUrl,
    client_id: clientId,
    client_secret: "${env:CLIENT_SECRET}",
    resource,
    scope: "mcp:read mcp:write",
    enforce_https: false
  }
  return {
    gateway: { port: 0 },
    servers: [
      { server_name: "echo", config: { url: echoUrl, transport: "http" }, oauth },
      { server_name: "echo-stdio", config: { command: process.execPath, args: echoArguments }, oauth }
    ]
  }
}

const echoArguments = [
  "--conditions=@secure-mcp/source",
  fileURLToPath(new URL("main.ts", import.meta.resolve("@secure-mcp/echo-server"))),
  "stdio"
]

/** Goes through a file and an environment variable, the way an operator's configuration does. */
const writeConfig = Effect.fnUntraced(function* (document: object) {
  const files = yield* FileSystem.FileSystem
  const path = `${yield* files.makeTempDirectoryScoped({ prefix: "secure-mcp-demo-" })}/gateway.json`
  yield* files.writeFileString(path, JSON.stringify(document, null, 2))
  const environment = ConfigProvider.fromEnv({ env: { CLIENT_SECRET: clientSecret } })
  return yield* loadConfigFile(path).pipe(
    Effect.provide(ClientCertificates.layer),
    Effect.provideService(ConfigProvider.ConfigProvider, environment)
  )
})

const gatewayFor = (config: GatewayConfig) =>
  gatewayServer(config).pipe(
    Layer.provideMerge(gatewayServices(config)),
    Layer.provide(ClientCertificates.layer)
  )
