import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import { defaultGateway, type GatewayConfig } from "@secure-mcp/gateway-server"

/** Serves in this process, and gives the address. */
export const serveAlone = (config: GatewayConfig) =>
  Effect.map(
    Layer.build(defaultGateway(config)),
    (context) => Context.get(context, HttpServer.HttpServer).address
  )
