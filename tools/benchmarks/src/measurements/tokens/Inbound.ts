import type { Measurement } from "../../measurement/Measurement.ts"
import { atMost } from "../../measurement/Target.ts"
import { workerContender } from "../../tokens/WorkerContender.ts"

const program = (name: string) => new URL(`../../tokens/inbound/${name}.ts`, import.meta.url)

export const inbound: Measurement = {
  name: "inbound",
  measures:
    "who calls, by the JWT access token of a request: one that was seen before, and a new one (ES256) whose key is at hand",
  ours: workerContender("gateway", program("ByGateway"), { isOurs: true }),
  rivals: [workerContender("jose", program("ByJose"))],
  rows: [
    { figure: "seen", title: "CPU, a token seen before", unit: "µs" },
    { figure: "new", title: "CPU, a new token", unit: "µs" }
  ],
  targets: [atMost("seen", 5), atMost("new", 60), atMost("new", 1, { rivals: ["jose"] })]
}
