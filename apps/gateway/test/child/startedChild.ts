import * as NodeServices from "@effect/platform-node/NodeServices"
import { defaultLimits } from "@secure-mcp/transport-injection"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import type { ChildCommand } from "../../../../packages/gateway-server/src/child/ChildCommand.ts"
import { ChildProcesses } from "../../../../packages/gateway-server/src/child/ChildProcesses.ts"
import { startChildServer } from "../../../../packages/gateway-server/src/child/ChildServer.ts"
import type { JsonRpcMessage } from "../../../../packages/gateway-server/src/jsonrpc/JsonRpc.ts"

/** What starts children in the tests. */
export const ChildLayer = ChildProcesses.layer.pipe(Layer.provideMerge(NodeServices.layer))

/**
 * The command of a child with a program of its own, which may use `write` for a line, `spawn`, and `onLine` for what it
 * reads.
 */
export const program = (source: string, env: Readonly<Record<string, string>> = {}): ChildCommand => ({
  command: process.execPath,
  args: ["-e", `${prelude}\n${source}`],
  env: Object.fromEntries(Object.entries(env).map(([name, value]) => [name, Redacted.make(value)]))
})

const prelude = `
const { spawn } = require("node:child_process")
const write = (text) => process.stdout.write(text + "\\n")
const answer = (id, result = {}) => JSON.stringify({ jsonrpc: "2.0", id, result })
const onLine = (read) => require("node:readline").createInterface({ input: process.stdin }).on("line", read)
`

/** Starts a child as a stdio server, with all that it sends and all that is logged. */
export const startChild = Effect.fnUntraced(function* (
  command: ChildCommand,
  limits: { readonly messageBytes: number } = defaultLimits
) {
  const messages: Array<JsonRpcMessage> = []
  const logs: Array<string> = []
  const connection = yield* startChildServer(
    "child",
    command,
    (message) => Effect.sync(() => void messages.push(message)),
    limits
  ).pipe(Effect.provide(Logger.layer([Logger.make(({ message }) => logs.push([message].flat().join(" ")))])))
  return {
    connection,
    messages,
    logs,
    texts: () => messages.map(({ text }) => text),
    log: () => logs.join("\n")
  }
})
