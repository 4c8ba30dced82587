import * as Effect from "effect/Effect"
import { call, reasonOf } from "../clients/McpCall.ts"
import { pause, sendTraffic, type Route } from "../clients/Traffic.ts"
import { startPersonsAndMachine } from "../outages/PersonsAndMachine.ts"
import type { Figures } from "../process/Figures.ts"
import { keyOf } from "../servers/Entries.ts"
import { disturb, type Disturbed, mayFail } from "./Disturbances.ts"

export interface Sample extends Figures {
  /** Seconds since the soak began. */
  readonly second: number
  readonly requests: number
  readonly failed: number
}

/** A kind of failure. */
export interface FailureKind {
  readonly route: string
  readonly reason: string
  /** Whether the protocol allowed nothing else. */
  readonly isAllowed: boolean
  readonly count: number
}

export interface SoakResult {
  readonly requests: number
  readonly failures: ReadonlyArray<FailureKind>
  readonly disturbed: ReadonlyArray<Disturbed>
  /** The first is of the time after the first requests, the last of the time after the last one. */
  readonly samples: ReadonlyArray<Sample>
  readonly lostGrants: number
  readonly isRunning: boolean
}

/** Failures that are remembered to be judged at the end. */
const mostFailures = 100_000

const initialize = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "soak", version: "1" } }
})

/** An MCP server on standard input and output that answers everything at once. */
const childProgram = `
let rest = ""
process.stdin.on("data", (piece) => {
  const lines = (rest + piece).split("\\n")
  rest = lines.pop()
  for (const line of lines) {
    const { id, method } = JSON.parse(line)
    if (id === undefined) continue
    const result = method === "initialize"
      ? { protocolVersion: "2025-11-25", capabilities: {}, serverInfo: { name: "child", version: "1" } }
      : {}
    process.stdout.write(JSON.stringify({ jsonrpc: "2.0", id, result }) + "\\n")
  }
})`

export interface SoakOptions {
  readonly seconds: number
  /** Requests a second. */
  readonly rate: number
  /** Milliseconds between two samples. */
  readonly interval: number
  readonly onSample: (sample: Sample) => void
}

/** Keeps a gateway busy while its servers fail again and again. */
export const soak = Effect.fnUntraced(function* ({ interval, onSample, rate, seconds }: SoakOptions) {
  const stage = yield* startPersonsAndMachine({ lifetime: 2 }, [
    { server_name: "child", config: { command: process.execPath, args: ["-e", childProgram] } }
  ])
  const { authorizationServer, gateway, mcp } = stage
  return yield* Effect.promise(async (): Promise<SoakResult> => {
    const routes = [...stage.routes, ...(await otherRoutes(gateway.url))]
    await sendTraffic({ routes, rate: 50, seconds: 2, onSent: () => {} })
    await gateway.beginMeasurement()
    const count = { requests: 0 }
    const failed: Array<{ route: string; reason: string; at: number; duration: number }> = []
    const samples: Array<Sample> = []
    const start = performance.now()
    const sample = async () => {
      const figures = await gateway.figuresAtRest()
      const second = (performance.now() - start) / 1000
      const taken = { ...figures, second, requests: count.requests, failed: failed.length }
      samples.push(taken)
      onSample(taken)
    }
    const isOver = Promise.withResolvers<"over">()
    const watch = async () => {
      for (;;) {
        await sample()
        if ((await Promise.race([pause(interval), isOver.promise])) === "over") return
      }
    }
    const [, disturbed] = await Promise.all([
      sendTraffic({
        routes,
        rate,
        seconds,
        onSent: (sent) => {
          count.requests += 1
          if (sent.status >= 200 && sent.status < 300) return
          if (failed.length < mostFailures) failed.push({ ...sent, reason: reasonOf(sent) })
        }
      }).finally(() => isOver.resolve("over")),
      disturb(authorizationServer, mcp, seconds),
      watch()
    ])
    await pause(3000)
    await sample()
    return {
      requests: count.requests,
      failures: kindsOf(failed, disturbed),
      disturbed,
      samples,
      lostGrants: authorizationServer.state.lostGrants,
      isRunning: gateway.isRunning()
    }
  })
})

/** Bodies of 100 KB, and a session with a child process. */
const otherRoutes = async (gatewayUrl: string): Promise<ReadonlyArray<Route>> => {
  const key = keyOf("machine")
  const child = `${gatewayUrl}/servers/child/mcp`
  const begun = await call(child, { key, body: initialize })
  const session = [begun.headers["mcp-session-id"]].flat()[0]
  if (session === undefined) throw new Error(`The child began no session: HTTP ${begun.status} ${begun.body}`)
  const long = JSON.stringify({ jsonrpc: "2.0", id: 2, method: "ping", params: { a: "a".repeat(100_000) } })
  return [
    { name: "long bodies", url: `${gatewayUrl}/servers/machine/mcp`, key, body: long },
    {
      name: "child",
      url: child,
      key,
      // Two requests of a session that are under way must not have the same id.
      bodyOf: (number) => JSON.stringify({ jsonrpc: "2.0", id: number, method: "ping" }),
      headers: { "mcp-session-id": session, "mcp-protocol-version": "2025-11-25" }
    }
  ]
}

const kindsOf = (
  failed: ReadonlyArray<{ route: string; reason: string; at: number; duration: number }>,
  disturbed: ReadonlyArray<Disturbed>
): ReadonlyArray<FailureKind> => {
  const kinds = new Map<string, FailureKind>()
  for (const one of failed) {
    const isAllowed = mayFail(one, disturbed)
    const name = JSON.stringify([one.route, one.reason, isAllowed])
    const known = kinds.get(name)
    kinds.set(name, { route: one.route, reason: one.reason, isAllowed, count: (known?.count ?? 0) + 1 })
  }
  return [...kinds.values()]
}
