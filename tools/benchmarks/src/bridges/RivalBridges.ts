import * as Effect from "effect/Effect"
import { awaitAnswer, freePort } from "../process/Answering.ts"
import { startProcess } from "../process/StartedProcess.ts"
import type { Bridge } from "./Bridge.ts"

/** A command of a development dependency, which `npm run` finds. */
export interface BridgeCommand {
  readonly name: string
  /** Its arguments, to serve a stdio server, which is a Node program, on a port. */
  readonly args: (port: number, server: string) => ReadonlyArray<string>
}

/** The bridges that people use, with a session for each client. */
export const bridgeCommands: ReadonlyArray<BridgeCommand> = [
  {
    name: "supergateway",
    args: (port, server) => [
      "--stdio",
      `"${process.execPath}" "${server}"`,
      "--outputTransport",
      "streamableHttp",
      "--stateful",
      "--logLevel",
      "none",
      "--port",
      String(port)
    ]
  },
  {
    name: "mcp-proxy",
    args: (port, server) => [
      "--host",
      "127.0.0.1",
      "--port",
      String(port),
      "--server",
      "stream",
      "--",
      process.execPath,
      server
    ]
  }
]

/** All of `bridgeCommands`. */
export const rivalBridges: ReadonlyArray<Bridge> = bridgeCommands.map(({ args, name }) => ({
  name,
  start: Effect.fnUntraced(function* (_run, server) {
    const port = yield* freePort
    const url = `http://127.0.0.1:${port}/mcp`
    const started = yield* startProcess(name, args(port, server))
    yield* awaitAnswer(started, name, url)
    return { pid: started.pid, url }
  })
}))
