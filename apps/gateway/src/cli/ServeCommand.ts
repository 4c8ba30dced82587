import { isLoopbackHost } from "@secure-mcp/oauth-core"
import * as Console from "effect/Console"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as HttpServer from "effect/http/HttpServer"
import type * as HttpServerError from "effect/http/HttpServerError"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { gatewayServer, gatewayServices, type GatewaySettings } from "@secure-mcp/gateway-server"
import { failCommand } from "./CommandFailure.ts"
import { ConfigFlag, loadConfig } from "./ConfigFlag.ts"
import { declareEndsOnSignal } from "./process/StopSignal.ts"

/** `serve`: runs the gateway until it is told to stop. */
export const ServeCommand = Command.make(
  "serve",
  {
    config: ConfigFlag,
    host: Flag.String("host").pipe(
      Flag.withDescription("Listen here instead of gateway.host"),
      Flag.optional
    ),
    port: Flag.Int("port").pipe(
      Flag.withDescription("Listen here instead of gateway.port; 0 picks a free port"),
      Flag.optional
    ),
    allowUnauthenticated: Flag.Boolean("allow-unauthenticated").pipe(
      Flag.withDescription(
        "Serve other machines without gateway.api_keys: whoever reaches the port uses the tokens"
      ),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function* (flags) {
    yield* declareEndsOnSignal
    const loaded = yield* loadConfig(flags.config)
    const gateway = {
      ...loaded.gateway,
      host: Option.getOrElse(flags.host, () => loaded.gateway.host),
      port: Option.getOrElse(flags.port, () => loaded.gateway.port)
    }
    yield* guardExposure(gateway, flags.allowUnauthenticated)
    const config = { ...loaded, gateway }
    const context = yield* Layer.build(
      gatewayServer(config).pipe(Layer.provide(gatewayServices(config)))
    ).pipe(
      Effect.catchTags({
        ServeError: (error) => failCommand(cannotListen(gateway, error)),
        CertificateUnusable: ({ key, problem }) => failCommand(`gateway.tls.${key}: ${problem}`),
        Misconfigured: (error) => failCommand(error.message),
        StoreUnavailable: (error) => failCommand(error.message)
      })
    )
    const url = HttpServer.formatAddress(Context.get(context, HttpServer.HttpServer).address)
    yield* Console.log(gateway.tls === undefined ? url : url.replace(/^http:/, "https:"))
    return yield* Effect.never
  }, Effect.scoped)
).pipe(Command.withDescription("Run the gateway; prints its base URL once it accepts connections"))

/** Everyone who reaches the gateway uses its tokens, so other machines must show a key, or a certificate. */
const guardExposure = ({ apiKeys, host, tls }: GatewaySettings, allowUnauthenticated: boolean) => {
  if (isLoopbackHost(host) || apiKeys.length > 0 || tls?.clientCaPath !== undefined) return Effect.void
  return allowUnauthenticated
    ? Effect.logWarning(
        `Listening on ${host} without gateway.api_keys: every machine that reaches this port can use the tokens of every configured server`
      )
    : failCommand(
        `gateway.host ${host} can be reached from other machines. Configure gateway.api_keys or gateway.tls.client_ca_path, listen on 127.0.0.1, or allow it with --allow-unauthenticated`
      )
}

const cannotListen = ({ host, port }: GatewaySettings, { cause }: HttpServerError.ServeError): string => {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown error"
  return `Cannot listen on ${host}:${port} (${code}). Choose another with --host and --port`
}
