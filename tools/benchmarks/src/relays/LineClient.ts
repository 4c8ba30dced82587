import { createInterface } from "node:readline"
import type { StartedProcess } from "../process/StartedProcess.ts"

/** An MCP client on the standard streams of a process. */
export interface LineClient {
  /** Sends a request, and waits for its answer. */
  readonly request: (method: string, params: object) => Promise<void>
  readonly notify: (method: string) => void
}

/** Rejects what waits for an answer when the process ends. */
export const makeLineClient = ({ child, output }: StartedProcess): LineClient => {
  const waiting = new Map<number, { resolve: () => void; reject: (error: Error) => void }>()
  const state = { id: 0 }
  const { stdin, stdout } = child
  if (stdin === null || stdout === null) throw new Error("The process has no standard streams")
  stdin.on("error", () => {})
  createInterface({ input: stdout }).on("line", (line) => {
    const { error, id } = JSON.parse(line)
    const pending = waiting.get(id)
    waiting.delete(id)
    if (error === undefined) pending?.resolve()
    else pending?.reject(new Error(line.slice(0, 2000)))
  })
  child.once("close", () => {
    for (const { reject } of waiting.values()) reject(new Error(`The process ended: ${output()}`))
  })
  const write = (message: object) => stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`)
  return {
    request: (method, params) =>
      new Promise((resolve, reject) => {
        state.id += 1
        waiting.set(state.id, { resolve, reject })
        write({ id: state.id, method, params })
      }),
    notify: (method) => void write({ method })
  }
}

/** The beginning of every conversation. */
export const initialize = async (client: LineClient): Promise<void> => {
  await client.request("initialize", {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "benchmark", version: "1.0.0" }
  })
  client.notify("notifications/initialized")
}
