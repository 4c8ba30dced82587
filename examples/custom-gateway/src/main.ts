import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Gateway from "@secure-mcp/gateway-server"
import { ClientCertificates } from "@secure-mcp/mtls"
import { OAuthHttp } from "@secure-mcp/oauth-core"
import { OAuthMetrics } from "@secure-mcp/oauth-metrics"
import { SqlTokenStore } from "@secure-mcp/token-cache-sql"
import { SqliteConnection, SqliteKeyFile } from "@secure-mcp/token-cache-sql/sqlite"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"

/** Another store: one SQLite file, and its key in a file next to it. */
const Store = Layer.unwrap(
  Effect.map(SqliteKeyFile.readOrMake("tokens.db"), (encryptionKey) => SqlTokenStore.layer({ encryptionKey }))
).pipe(Layer.provide(SqliteConnection.layer({ url: "tokens.db" })))

/** Another transport to authorization servers: fetch, instead of the connections with client certificates. */
const Transport = OAuthHttp.layer.pipe(Layer.provide(FetchHttpClient.layer))

/** A route of one's own, behind the same access rules as all others. */
const WhoAmI = HttpRouter.add(
  "GET",
  "/whoami",
  Effect.map(Gateway.CurrentCaller, ({ subject = "anyone" }) => HttpServerResponse.text(subject))
)

const nameless = Result.fail({ status: 403, message: "Name your team in the header X-Team" } as const)

/** An access rule of one's own, on top of those of the configuration. */
const withTeam = (config: Gateway.GatewayConfig) =>
  Layer.effect(
    Gateway.Access,
    Effect.map(Gateway.Access, ({ checkSite, identify }) => ({
      checkSite,
      identify: (request) => (request.headers["x-team"] === undefined ? nameless : identify(request))
    }))
  ).pipe(Layer.provide(Gateway.Access.layer(config.gateway)))

const program = Effect.gen(function* () {
  const config = yield* Gateway.loadConfigFile(process.argv[2] ?? "gateway.json")
  const routes = Layer.mergeAll(Gateway.McpRoute, Gateway.OperationsRoutes, WhoAmI)
  const services = Gateway.gatewayTokens(config).pipe(Layer.provideMerge(Store), Layer.provide(Transport))
  const server = Gateway.GatewayServer.layer(config, { access: withTeam(config), routes })
  const counted = server.pipe(Layer.provide(services), Layer.provide(OAuthMetrics.layer))
  const announced = Layer.effectDiscard(HttpServer.addressFormattedWith(Console.log))
  return yield* Layer.launch(Layer.provide(announced, counted))
})

const platform = ClientCertificates.layer.pipe(Layer.provideMerge(NodeServices.layer))

NodeRuntime.runMain(Effect.provide(program, platform))
