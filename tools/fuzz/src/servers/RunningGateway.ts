import { decodeGatewayConfig, gatewayServer, gatewayServices } from "@secure-mcp/gateway-server"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { fileServices } from "./Folder.ts"

/** The whole gateway in this process, on a free port, until the scope closes; gives the port. */
export const runGateway = Effect.fnUntraced(function* (document: object) {
  const config = Result.getOrThrow(decodeGatewayConfig({ store: { type: "memory" }, ...document }))
  const services = yield* fileServices
  const context = yield* Layer.build(
    gatewayServer(config).pipe(Layer.provideMerge(gatewayServices(config)))
  ).pipe(Effect.provide(services), Effect.orDie)
  const { address } = Context.get(context, HttpServer.HttpServer)
  return Number(new URL(HttpServer.formatAddress(address)).port)
})
