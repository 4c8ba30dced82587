import type { Measurement } from "../measurement/Measurement.ts"
import { atMost } from "../measurement/Target.ts"
import { gatewayProxy } from "../proxies/GatewayProxy.ts"
import { underLoad } from "../proxies/ProxyContender.ts"
import { rivalProxies } from "../proxies/RivalProxies.ts"

const contender = underLoad({ connections: 32, seconds: 2 })

export const warm: Measurement = {
  name: "warm",
  measures: "`tools/call` to a server over HTTP, 32 connections, bodies of 100 bytes, a token that is held",
  ours: contender(gatewayProxy),
  rivals: rivalProxies.map(contender),
  rows: [
    { figure: "cpu", title: "CPU per request", unit: "µs" },
    { figure: "rate", title: "requests", unit: "/s" },
    { figure: "p50", title: "p50", unit: "ms" },
    { figure: "p99", title: "p99", unit: "ms" },
    { figure: "memory", title: "memory", unit: "MiB" }
  ],
  targets: [
    atMost("cpu", 1, { rivals: ["bare Node"] }),
    atMost("cpu", 1, { rivals: ["fast-proxy", "http-proxy-3"] })
  ]
}
