import type { Measurement } from "../measurement/Measurement.ts"
import { atLeast, atMost } from "../measurement/Target.ts"
import { relayUnderLoad, requestCounts } from "../relays/RelayContender.ts"
import { gatewayRelay, mcpRemote } from "../relays/Relays.ts"

const rivals = [mcpRemote.name]

export const relay: Measurement = {
  name: "relay",
  measures: "the command `stdio` in front of a server over HTTP: `tools/call`, 1 and 8 at once",
  ours: relayUnderLoad(gatewayRelay),
  rivals: [relayUnderLoad(mcpRemote)],
  rows: [
    ...requestCounts.flatMap((atOnce) => [
      { figure: `cpu-${atOnce}`, title: `CPU per request, ${atOnce} at once`, unit: "µs" },
      { figure: `rate-${atOnce}`, title: `requests, ${atOnce} at once`, unit: "/s" },
      { figure: `p99-${atOnce}`, title: `p99, ${atOnce} at once`, unit: "ms" }
    ]),
    { figure: "memory", title: "memory of all processes", unit: "MiB" }
  ],
  targets: [
    ...requestCounts.flatMap((atOnce) => [
      atLeast(`rate-${atOnce}`, 3, { rivals }),
      atMost(`cpu-${atOnce}`, 0.33, { rivals })
    ]),
    atMost("memory", 120)
  ]
}
