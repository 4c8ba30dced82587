import * as Effect from "effect/Effect"
import { bridgeCommands } from "../bridges/RivalBridges.ts"
import { startGateway, writeConfig } from "../gateway/Gateway.ts"
import type { Contender, Figures, Run } from "../measurement/Measurement.ts"
import { freePort } from "../process/Answering.ts"
import { CouldNotStart } from "../process/CouldNotStart.ts"
import { startServer } from "../process/NodeProgram.ts"
import { startProcess } from "../process/StartedProcess.ts"
import { gatewayRelay, mcpRemote } from "../relays/Relays.ts"
import { programFile } from "../servers/ProgramFile.ts"
import { mcpServer } from "../servers/Servers.ts"
import { httpServer, stdioServer } from "../servers/StdioServer.ts"
import { type Start, timeStarts, untilAnswer, untilInitialized } from "./TimedStart.ts"

const ready = (program: string, wait: () => Promise<void>) =>
  Effect.tryPromise({
    try: wait,
    catch: (error) => new CouldNotStart({ program, reason: String(error) })
  })

/** A command that serves on the port it is given. */
const serving = (command: string, args: (port: number) => ReadonlyArray<string>): Start =>
  Effect.gen(function* () {
    const port = yield* freePort
    const started = yield* startProcess(command, args(port), { env: { PORT: String(port) } })
    yield* ready(command, () => untilAnswer(port))
    return started
  })

/** The least that Node can be: a server of three lines, and one on the standard streams. */
export const bareNodeStarts: Contender = {
  name: "bare Node",
  start: () =>
    Effect.gen(function* () {
      const server = yield* programFile(httpServer)
      const stdio = yield* programFile(stdioServer)
      const onStreams: Start = Effect.gen(function* () {
        const started = yield* startProcess(process.execPath, [stdio], { isStdio: true })
        yield* ready("bare Node", () => untilInitialized(started))
        return started
      })
      return async () => ({
        ...(await timeStarts(
          "serve",
          serving(process.execPath, () => [server])
        )),
        ...(await timeStarts("stdio", onStreams))
      })
    })
}

/** Bridges of others, which serve a stdio server. */
export const bridgeStarts: ReadonlyArray<Contender> = bridgeCommands.map(({ args, name }) => ({
  name,
  start: () =>
    Effect.map(
      programFile(stdioServer),
      (server) => () =>
        timeStarts(
          "serve",
          serving(name, (port) => args(port, server))
        )
    )
}))

const relayStarts = (relay: typeof mcpRemote, run: Run, url: string): Start =>
  Effect.gen(function* () {
    const started = yield* relay.start(run, url)
    yield* ready(relay.name, () => untilInitialized(started))
    return started
  })

export const mcpRemoteStarts: Contender = {
  name: mcpRemote.name,
  start: (run) =>
    Effect.map(
      startServer(mcpServer),
      ({ url }) =>
        () =>
          timeStarts("stdio", relayStarts(mcpRemote, run, `${url}/mcp`))
    )
}

/** `serve`, `stdio` and `check`. */
export const gatewayStarts: Contender = {
  name: "gateway",
  start: (run) =>
    Effect.gen(function* () {
      const { url } = yield* startServer(mcpServer)
      const document = { servers: [{ server_name: "remote", config: { url: `${url}/mcp` } }] }
      const { config, env } = yield* writeConfig(document)
      const serve: Start = Effect.gen(function* () {
        const port = yield* freePort
        const started = yield* startGateway(run, document, { port })
        yield* ready("the gateway", () => untilAnswer(port))
        return started
      })
      return async (): Promise<Figures> => ({
        ...(await timeStarts("serve", serve)),
        ...(await timeStarts("stdio", relayStarts(gatewayRelay, run, `${url}/mcp`))),
        ...(await timeStarts("check", checked(run, config, env)))
      })
    })
}

/** The command `check` until it has ended. */
const checked = (run: Run, config: string, env: NodeJS.ProcessEnv): Start =>
  Effect.gen(function* () {
    const started = yield* startProcess(
      process.execPath,
      ["--conditions=@secure-mcp/source", run.bundle, "check", "--config", config],
      { env }
    )
    yield* Effect.callback<void>((resume) => {
      started.child.once("exit", () => resume(Effect.void))
    })
    return started
  })
