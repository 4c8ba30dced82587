import type { Measurement } from "../../measurement/Measurement.ts"
import { atMost } from "../../measurement/Target.ts"
import { workerContender } from "../../tokens/WorkerContender.ts"

const program = (name: string) => new URL(`../../tokens/cold/${name}.ts`, import.meta.url)

const libraries = [
  workerContender("@badgateway/oauth2-client", program("ByBadgateway")),
  workerContender("oauth4webapi", program("ByOauth4webapi")),
  workerContender("simple-oauth2", program("BySimpleOauth2")),
  workerContender("openid-client", program("ByOpenidClient"))
]

export const cold: Measurement = {
  name: "cold",
  measures: "a token is acquired by client credentials, 16 at once",
  ours: workerContender("gateway", program("ByGateway"), { isOurs: true }),
  rivals: [
    workerContender("undici by hand", program("ByUndici")),
    workerContender("fetch by hand", program("ByFetch")),
    ...libraries
  ],
  rows: [
    { figure: "cpu", title: "CPU per acquisition", unit: "µs" },
    { figure: "cpuOverFetch", title: "the same over fetch", unit: "µs" },
    { figure: "rate", title: "acquisitions", unit: "/s" }
  ],
  targets: [atMost("cpu", 0.5, { rivals: libraries.map(({ name }) => name) })]
}
