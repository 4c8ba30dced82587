import type { Measurement } from "../../measurement/Measurement.ts"
import { atMost } from "../../measurement/Target.ts"
import { workerContender } from "../../tokens/WorkerContender.ts"

const program = (name: string) => new URL(`../../tokens/cached/${name}.ts`, import.meta.url)

export const cached: Measurement = {
  name: "cached",
  measures: "a token that is held: from the cache, from `OAuthService`, and from it through a Promise",
  ours: workerContender("gateway", program("ByGateway"), { isOurs: true }),
  rivals: [
    workerContender("Map", program("ByMap")),
    workerContender("@badgateway/oauth2-client", program("ByBadgateway"))
  ],
  rows: [
    { figure: "cache", title: "CPU, TokenCache.get in Effect", unit: "µs" },
    { figure: "service", title: "CPU, OAuthService in Effect", unit: "µs" },
    { figure: "promise", title: "CPU, through a Promise", unit: "µs" }
  ],
  targets: [atMost("service", 1), atMost("promise", 3)]
}
