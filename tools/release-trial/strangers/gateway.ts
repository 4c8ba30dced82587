// A gateway of one's own: tokens in SQLite, a transport over fetch and a route, in front of an MCP server that wants tokens.
import assert from "node:assert/strict"
import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import * as Gateway from "@secure-mcp/gateway-server"
import { ClientCertificates } from "@secure-mcp/mtls"
import { OAuthHttp } from "@secure-mcp/oauth-core"
import { OAuthMetrics } from "@secure-mcp/oauth-metrics"
import { SqlTokenStore } from "@secure-mcp/token-cache-sql"
import { SqliteConnection, SqliteKeyFile } from "@secure-mcp/token-cache-sql/sqlite"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"

const directory = mkdtempSync(join(tmpdir(), "stranger-"))
const { MCP_URL, TOKEN_URL } = process.env
const oauth = {
  enabled: true,
  token_url: TOKEN_URL,
  client_id: "me",
  client_secret: "s",
  enforce_https: false
}
const servers = [{ server_name: "echo", config: { url: MCP_URL }, oauth }]
writeFileSync(join(directory, "gateway.json"), JSON.stringify({ gateway: { port: 0 }, servers }))

const url = join(directory, "tokens.db")
const Store = Layer.unwrap(
  Effect.map(SqliteKeyFile.readOrMake(url), (encryptionKey) => SqlTokenStore.layer({ encryptionKey }))
).pipe(Layer.provide(SqliteConnection.layer({ url })))
const Transport = OAuthHttp.layer.pipe(Layer.provide(FetchHttpClient.layer))
const Hello = HttpRouter.add("GET", "/hello", HttpServerResponse.text("of my own"))

const program = Effect.gen(function* () {
  const config = yield* Gateway.loadConfigFile(join(directory, "gateway.json"))
  const routes = Layer.mergeAll(Gateway.McpRoute, Gateway.OperationsRoutes, Hello)
  const tokens = Gateway.gatewayTokens(config).pipe(Layer.provideMerge(Store), Layer.provide(Transport))
  const server = Gateway.GatewayServer.layer(config, { routes }).pipe(Layer.provide(tokens))
  const services = yield* Layer.build(Layer.provide(server, OAuthMetrics.layer))
  const address = HttpServer.formatAddress(Context.get(services, HttpServer.HttpServer).address)
  yield* Effect.promise(async () => {
    assert.equal(await (await fetch(`${address}/hello`)).text(), "of my own")
    const agent = new Client({ name: "stranger", version: "1.0.0" })
    await agent.connect(new StreamableHTTPClientTransport(new URL(`${address}/servers/echo/mcp`)))
    const { content } = await agent.callTool({ name: "echo_auth_header", arguments: {} })
    assert.match(JSON.stringify(content), /Received token: access-/)
    await agent.close()
  })
})
const platform = ClientCertificates.layer.pipe(Layer.provideMerge(NodeServices.layer))
await Effect.runPromise(Effect.scoped(Effect.provide(program, platform)))
