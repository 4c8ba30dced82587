import { isLoopbackHost } from "@secure-mcp/oauth-core"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as HttpServer from "effect/http/HttpServer"
import type * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import type { GatewaySettings, LoadedConfig } from "@secure-mcp/gateway-server"
import { isWorker } from "@secure-mcp/gateway-server/internal"
import { CommandFailure, failCommand } from "./CommandFailure.ts"
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
    ),
    workers: Flag.Int("workers").pipe(
      Flag.withDescription(
        "Answer requests in so many processes, 1 to 64; more than 1 makes one process more, which has the tokens"
      ),
      Flag.withDefault(1)
    )
  },
  Effect.fnUntraced(function* (flags) {
    yield* declareEndsOnSignal
    if (isWorker()) return yield* asWorker
    if (flags.workers < 1 || flags.workers > maxWorkers)
      return yield* failCommand(
        `--workers must be a whole number from 1 to ${maxWorkers}. As many as the machine has cores is most that helps`
      )
    const loaded = yield* loadConfig(flags.config)
    const gateway = {
      ...loaded.gateway,
      host: Option.getOrElse(flags.host, () => loaded.gateway.host),
      port: Option.getOrElse(flags.port, () => loaded.gateway.port)
    }
    yield* guardExposure(gateway, flags.allowUnauthenticated)
    const config = { ...loaded, gateway }
    const serving: Serving = flags.workers > 1 ? withWorkers(config, flags.workers) : alone(config)
    const address = yield* serving.pipe(
      Effect.catchTags({
        ServeError: ({ cause }) => failCommand(cannotListen(gateway, codeOf(cause))),
        CannotListen: ({ code }) => failCommand(cannotListen(gateway, code)),
        WorkersFailed: (error) => failCommand(error.message),
        CertificateUnusable: ({ key, problem }) => failCommand(`gateway.tls.${key}: ${problem}`),
        Misconfigured: (error) => failCommand(error.message),
        StoreUnavailable: (error) => failCommand(error.message)
      })
    )
    const url = HttpServer.formatAddress(address)
    yield* Console.log(gateway.tls === undefined ? url : url.replace(/^http:/, "https:"))
    return yield* Effect.never
  }, Effect.scoped)
).pipe(Command.withDescription("Run the gateway; prints its base URL once it accepts connections"))

const maxWorkers = 64

type Serving = Effect.Effect<
  NetAddress.SocketAddress,
  Effect.Error<ReturnType<typeof alone>> | Effect.Error<ReturnType<typeof withWorkers>>,
  Effect.Services<ReturnType<typeof alone>> | Effect.Services<ReturnType<typeof withWorkers>>
>

/** Loaded only where it is wanted, as the next one: other commands start sooner without it. */
const alone = (config: LoadedConfig) =>
  Effect.flatMap(
    Effect.promise(() => import("./ServeAlone.ts")),
    ({ serveAlone }) => serveAlone(config)
  )

const withWorkers = (config: LoadedConfig, workers: number) =>
  Effect.flatMap(
    Effect.promise(() => import("@secure-mcp/gateway-server/workers")),
    ({ serveWithWorkers }) => serveWithWorkers(config, workers)
  )

/** Tells the owner what goes wrong, which tells the user. */
const asWorker = Effect.flatMap(
  Effect.promise(() => import("@secure-mcp/gateway-server/workers")),
  ({ runWorker }) => runWorker
).pipe(Effect.mapError(() => new CommandFailure({ exitCode: 1 })))

/** Everyone who reaches the gateway uses its tokens, so other machines must show a key, a token, or a certificate. */
const guardExposure = ({ apiKeys, callers, host, tls }: GatewaySettings, allowUnauthenticated: boolean) => {
  const knowsCallers = apiKeys.length > 0 || callers !== undefined || tls?.clientCaPath !== undefined
  if (isLoopbackHost(host) || knowsCallers) return Effect.void
  return allowUnauthenticated
    ? Effect.logWarning(
        `Listening on ${host} without gateway.api_keys: every machine that reaches this port can use the tokens of every configured server`
      )
    : failCommand(
        `gateway.host ${host} can be reached from other machines. Configure gateway.api_keys, gateway.callers or gateway.tls.client_ca_path, listen on 127.0.0.1, or allow it with --allow-unauthenticated`
      )
}

const codeOf = (cause: unknown): string =>
  cause instanceof Error && "code" in cause ? String(cause.code) : "unknown error"

const cannotListen = ({ host, port }: GatewaySettings, code: string): string =>
  `Cannot listen on ${host}:${port} (${code}). Choose another with --host and --port`
