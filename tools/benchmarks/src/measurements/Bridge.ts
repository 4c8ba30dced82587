import { bridgeUnderLoad, clientCounts } from "../bridges/BridgeContender.ts"
import { gatewayBridge } from "../bridges/GatewayBridge.ts"
import { rivalBridges } from "../bridges/RivalBridges.ts"
import type { Measurement } from "../measurement/Measurement.ts"
import { atLeast, atMost } from "../measurement/Target.ts"

const rivals = rivalBridges.map(({ name }) => name)

export const bridge: Measurement = {
  name: "bridge",
  measures:
    "`tools/call` to a stdio server over Streamable HTTP, with 1 and 8 clients, each with its session",
  ours: bridgeUnderLoad(gatewayBridge),
  rivals: rivalBridges.map(bridgeUnderLoad),
  rows: clientCounts.flatMap((clients) => {
    const who = clients === 1 ? "1 client" : `${clients} clients`
    return [
      { figure: `cpu-${clients}`, title: `CPU per request, ${who}`, unit: "µs" },
      { figure: `rate-${clients}`, title: `requests, ${who}`, unit: "/s" },
      { figure: `p99-${clients}`, title: `p99, ${who}`, unit: "ms" },
      { figure: `memory-${clients}`, title: `memory of all processes, ${who}`, unit: "MiB" }
    ]
  }),
  targets: [
    ...clientCounts.flatMap((clients) => [
      atMost(`cpu-${clients}`, 0.33, { rivals }),
      atLeast(`rate-${clients}`, 2, { rivals }),
      atMost(`p99-${clients}`, 1, { rivals })
    ]),
    atMost("memory-1", 90)
  ]
}
