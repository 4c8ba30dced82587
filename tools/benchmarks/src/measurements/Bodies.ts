import * as Effect from "effect/Effect"
import type { Contender, Measurement } from "../measurement/Measurement.ts"
import { atMost } from "../measurement/Target.ts"
import { gatewayProxy } from "../proxies/GatewayProxy.ts"
import { transferGibibyte } from "../proxies/LongTransfer.ts"
import type { Proxy } from "../proxies/Proxy.ts"
import { underLoad } from "../proxies/ProxyContender.ts"
import { rivalProxies } from "../proxies/RivalProxies.ts"

const megabytes = underLoad({ connections: 8, seconds: 2, bodyBytes: 2 ** 20 })

/** The gibibyte once, and the mebibytes in each round. */
const contender = (proxy: Proxy): Contender => ({
  name: proxy.name,
  start: Effect.fnUntraced(function* (run) {
    const { growth = Number.NaN } = yield* transferGibibyte(proxy, { ...run, profileDirectory: undefined })
    const take = yield* megabytes(proxy).start(run)
    return async () => ({ ...(await take()), growth })
  })
})

export const bodies: Measurement = {
  name: "bodies",
  measures:
    "a body of 1 MiB in both directions; 1 GiB once, to a slow reader, through a process with 256 MiB of heap",
  ours: contender(gatewayProxy),
  rivals: rivalProxies.map(contender),
  rows: [
    { figure: "cpu", title: "CPU per MiB both ways", unit: "µs" },
    { figure: "rate", title: "requests", unit: "/s" },
    { figure: "p50", title: "p50", unit: "ms" },
    { figure: "p99", title: "p99", unit: "ms" },
    { figure: "growth", title: "memory that 1 GiB adds", unit: "MiB" }
  ],
  targets: [atMost("cpu", 1.05, { rivals: ["bare Node"] }), atMost("growth", 100)]
}
