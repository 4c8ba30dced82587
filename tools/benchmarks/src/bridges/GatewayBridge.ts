import * as Effect from "effect/Effect"
import { startGateway } from "../gateway/Gateway.ts"
import type { Bridge } from "./Bridge.ts"

export const gatewayBridge: Bridge = {
  name: "gateway",
  start: Effect.fnUntraced(function* (run, server) {
    const { pid, url } = yield* startGateway(run, {
      servers: [{ server_name: "child", config: { command: process.execPath, args: [server] } }]
    })
    return { pid, url: `${url}/servers/child/mcp` }
  })
}
