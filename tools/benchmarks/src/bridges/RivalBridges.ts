import * as Effect from "effect/Effect"
import { awaitAnswer, freePort } from "../process/Answering.ts"
import { startProcess } from "../process/StartedProcess.ts"
import type { Bridge } from "./Bridge.ts"

/** A command of a development dependency, which `npm run` finds. */
const bridge = (name: string, args: (port: number, server: string) => ReadonlyArray<string>): Bridge => ({
  name,
  start: Effect.fnUntraced(function* (_run, server) {
    const port = yield* freePort
    const url = `http://127.0.0.1:${port}/mcp`
    const started = yield* startProcess(name, args(port, server))
    yield* awaitAnswer(started, name, url)
    return { pid: started.pid, url }
  })
})

export const supergateway = bridge("supergateway", (port, server) => [
  "--stdio",
  `"${process.execPath}" "${server}"`,
  "--outputTransport",
  "streamableHttp",
  "--stateful",
  "--logLevel",
  "none",
  "--port",
  String(port)
])

export const mcpProxy = bridge("mcp-proxy", (port, server) => [
  "--host",
  "127.0.0.1",
  "--port",
  String(port),
  "--server",
  "stream",
  "--",
  process.execPath,
  server
])

export const rivalBridges: ReadonlyArray<Bridge> = [supergateway, mcpProxy]
