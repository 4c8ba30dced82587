import * as NodeServices from "@effect/platform-node/NodeServices"
import { defaultLimits, type Limits } from "@secure-mcp/transport-injection"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { fileURLToPath } from "node:url"
import type { ChildCommand } from "../../../../packages/gateway-server/src/child/ChildCommand.ts"
import { ChildProcesses } from "../../../../packages/gateway-server/src/child/ChildProcesses.ts"
import { startChildServer } from "../../../../packages/gateway-server/src/child/ChildServer.ts"
import type { Connect } from "../../../../packages/gateway-server/src/jsonrpc/MessageConnection.ts"
import * as HttpBridge from "../../../../packages/gateway-server/src/bridge/HttpBridge.ts"

/** The command of a fixture. */
export const fixture = (
  name: "sdkServer" | "lineServer",
  env: Readonly<Record<string, string>> = {}
): ChildCommand => ({
  command: process.execPath,
  args: [fileURLToPath(new URL(`./fixtures/${name}.ts`, import.meta.url))],
  env: Object.fromEntries(Object.entries(env).map(([key, value]) => [key, Redacted.make(value)]))
})

/** What a test of the bridge may set. */
export interface BridgeOptions {
  readonly limits?: Partial<Limits>
  /** In seconds. */
  readonly startTimeout?: number
}

/** A bridge to a child process, behind an HTTP server. */
export const serveBridge = (
  childCommand: Effect.Effect<ChildCommand, "no token">,
  options: BridgeOptions = {}
) => {
  let starts = 0
  const counted = Effect.tap(
    childCommand,
    Effect.sync(() => (starts += 1))
  )
  return Effect.gen(function* () {
    const processes = yield* ChildProcesses
    const connect: Connect<"no token"> = (onMessage) =>
      counted.pipe(
        Effect.flatMap((command) => startChildServer("fixture", command, onMessage)),
        Effect.provideService(ChildProcesses, processes)
      )
    return { ...(yield* serveConnections(connect, options)), starts: () => starts }
  }).pipe(Effect.provide(ChildProcesses.layer.pipe(Layer.provide(NodeServices.layer))))
}

/** A bridge behind an HTTP server. The header `x-owner` says who is calling. */
export const serveConnections = (connect: Connect<"no token">, options: BridgeOptions = {}) => {
  const logs: Array<string> = []
  return Effect.gen(function* () {
    const bridge = yield* HttpBridge.make({
      serverName: "fixture",
      connect: () => connect,
      limits: { ...defaultLimits, ...options.limits },
      startTimeout: Duration.seconds(options.startTimeout ?? 60)
    })
    const calls = yield* FiberSet.make<void, never>()
    const run = yield* FiberSet.runtime(calls)()
    const server = createServer((request, response) => {
      const owner = request.headers["x-owner"]
      run(
        Effect.promise(() => readBody(request)).pipe(
          Effect.flatMap((body) => answer(bridge, request, response, body, owner?.toString())),
          Effect.catch((error) => Effect.sync(() => response.writeHead(500).end(error)))
        )
      )
    })
    return {
      url: yield* listen(server),
      logs,
      underWay: () => FiberSet.size(calls).pipe(Effect.runSync),
      /** Completes when no request is under way any more. */
      settled: FiberSet.awaitEmpty(calls)
    }
  }).pipe(Effect.provide(Logger.layer([Logger.make(({ message }) => logs.push(JSON.stringify(message)))])))
}

/** Answers a request as the gateway does: without a fiber where that can be. */
export const answer = <E>(
  bridge: HttpBridge.HttpBridge<E>,
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer,
  owner: string | undefined
): Effect.Effect<void, E> =>
  Effect.callback((resume) => {
    const closed = () => resume(Effect.void)
    if (!bridge.handleNow(request, { response, ownHeaders: [] }, body, owner, closed))
      resume(bridge.handle(request, response, body, owner))
  })

const readBody = async (request: IncomingMessage): Promise<Buffer> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Starts a server on a free loopback port, for as long as the scope lives. */
export const listen = (server: Server): Effect.Effect<URL, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<URL>((resume) => {
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        const port = typeof address === "object" ? address?.port : address
        resume(Effect.succeed(new URL(`http://127.0.0.1:${port}/mcp`)))
      })
    }),
    () =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )

/** Waits until a condition holds; if it never does, the test's timeout says so. */
export const until = (condition: () => boolean): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const poll = setInterval(() => {
      if (condition()) resume(Effect.void)
    }, 5)
    return Effect.sync(() => clearInterval(poll))
  })

export const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
