import { instancesOnRedis } from "../deployments/Instances.ts"
import type { Measurement } from "../measurement/Measurement.ts"
import { atMost } from "../measurement/Target.ts"

export const instances: Measurement = {
  name: "instances",
  measures: "the load of `warm` on two instances with one Redis, and on one instance with it",
  ours: instancesOnRedis("2 instances", 2),
  rivals: [instancesOnRedis("1 instance", 1)],
  rows: [
    { figure: "cpu", title: "CPU per request", unit: "µs" },
    { figure: "rate", title: "requests", unit: "/s" },
    { figure: "p99", title: "p99", unit: "ms" },
    { figure: "memory", title: "memory of all", unit: "MiB" },
    { figure: "tokens", title: "token requests", unit: "" }
  ],
  targets: [atMost("tokens", 1)]
}
