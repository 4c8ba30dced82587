import type { Measurement } from "../measurement/Measurement.ts"
import { atMost } from "../measurement/Target.ts"
import { bareNodeStarts, bridgeStarts, gatewayStarts, mcpRemoteStarts } from "../starts/Starts.ts"

export const start: Measurement = {
  name: "start",
  measures:
    "from the start of the process: `serve` until the first answer, `stdio` until `initialize` is answered",
  ours: gatewayStarts,
  rivals: [bareNodeStarts, ...bridgeStarts, mcpRemoteStarts],
  rows: [
    { figure: "serve", title: "serve", unit: "ms" },
    { figure: "serve-cpu", title: "serve, CPU", unit: "ms" },
    { figure: "stdio", title: "stdio", unit: "ms" },
    { figure: "stdio-cpu", title: "stdio, CPU", unit: "ms" },
    { figure: "check", title: "check", unit: "ms" }
  ],
  targets: [atMost("serve", 3, { rivals: ["bare Node"] }), atMost("stdio", 3, { rivals: ["bare Node"] })]
}
