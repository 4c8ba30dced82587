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

/** An authorization server and the two echo servers that trust it, all on this machine. */
export const startServers = Effect.gen(function* () {
  const authorizationServer = yield* AuthorizationServer.make({
    clients: [clientCredentialsClient(clientId, clientSecret)],
    resources: [{ identifier: resource, scopes: ["mcp:read", "mcp:write"], accessTokenFormat: "opaque" }]
  })
  const echoServer = yield* EchoServer.make({ authorize: isActiveAt(authorizationServer) })
  return { authorizationServer, echoServer }
})

export type Servers = Effect.Success<typeof startServers>

/** Where a gateway stores tokens: the object `store` of its configuration. */
export type Store = { readonly type: "memory" } | { readonly type: "sqlite"; readonly url: string }

/** A gateway in front of the echo servers, until the scope closes. */
export const startGateway = Effect.fnUntraced(function* (servers: Servers, store: Store) {
  return { ...servers, ...(yield* serve(configuration(servers, store), { CLIENT_SECRET: clientSecret })) }
})

/** A gateway with a configuration, and the environment that its references are resolved in, until the scope closes. */
export const serve = Effect.fnUntraced(function* (
  document: object,
  environment: Readonly<Record<string, string>>
) {
  const config = yield* writeConfig(document, environment)
  const services = yield* Layer.build(gatewayFor(config))
  return {
    config,
    services,
    gatewayUrl: HttpServer.formatAddress(Context.get(services, HttpServer.HttpServer).address)
  }
})

/** What the demo runs. */
export type Cast = Effect.Success<ReturnType<typeof startGateway>>

/** The echo server accepts only tokens that its authorization server reports as active. */
const isActiveAt =
  ({ verify }: AuthorizationServer["Service"]) =>
  (authorization: Redacted.Redacted | undefined) => {
    const token = authorization && Redacted.value(authorization).replace(/^Bearer /, "")
    return token === undefined ? Effect.succeed(false) : Effect.map(verify(token), ({ active }) => active)
  }

/** The example configuration of the documentation, with addresses on this machine. */
const configuration = ({ authorizationServer, echoServer }: Servers, store: Store) => {
  const oauth = {
    enabled: true,
    version: "2.1",
    grant_type: "client_credentials",
    token_url: authorizationServer.tokenEndpoint,
    client_id: clientId,
    client_secret: "${env:CLIENT_SECRET}",
    resource,
    scope: "mcp:read mcp:write",
    enforce_https: false
  }
  return {
    gateway: { port: 0 },
    store,
    servers: [
      { server_name: "echo", config: { url: echoServer.url, transport: "http" }, oauth },
      { server_name: "echo-stdio", config: { command: process.execPath, args: echoArguments }, oauth }
    ]
  }
}

const echoArguments = [
  "--conditions=@secure-mcp/source",
  fileURLToPath(new URL("main.ts", import.meta.resolve("@secure-mcp/echo-server"))),
  "stdio"
]

/** Goes through a file and environment variables, the way an operator's configuration does. */
const writeConfig = Effect.fnUntraced(function* (
  document: object,
  environment: Readonly<Record<string, string>>
) {
  const files = yield* FileSystem.FileSystem
  const path = `${yield* files.makeTempDirectoryScoped({ prefix: "secure-mcp-demo-" })}/gateway.json`
  yield* files.writeFileString(path, JSON.stringify(document, null, 2))
  return yield* loadConfigFile(path).pipe(
    Effect.provide(ClientCertificates.layer),
    Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env: environment }))
  )
})

const gatewayFor = (config: GatewayConfig) =>
  gatewayServer(config).pipe(
    Layer.provideMerge(gatewayServices(config)),
    Layer.provide(ClientCertificates.layer)
  )
