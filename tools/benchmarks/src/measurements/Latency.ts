import type { Measurement } from "../measurement/Measurement.ts"
import { atMost } from "../measurement/Target.ts"
import { gatewayProxy } from "../proxies/GatewayProxy.ts"
import { underLoad } from "../proxies/ProxyContender.ts"
import { rivalProxies } from "../proxies/RivalProxies.ts"

const contender = underLoad({ connections: 1, seconds: 2 })

export const latency: Measurement = {
  name: "latency",
  measures: "the same over one connection: what is added to the latency of the server itself",
  ours: contender(gatewayProxy),
  rivals: rivalProxies.map(contender),
  rows: [
    { figure: "addedP50", title: "added p50", unit: "ms" },
    { figure: "addedP99", title: "added p99", unit: "ms" },
    { figure: "cpu", title: "CPU per request", unit: "µs" },
    { figure: "rate", title: "requests", unit: "/s" }
  ],
  targets: [
    atMost("addedP50", 1, { rivals: ["bare Node"] }),
    atMost("addedP99", 1.5, { rivals: ["bare Node"] })
  ]
}
