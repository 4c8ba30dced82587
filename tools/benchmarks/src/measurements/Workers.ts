import { gatewayWithWorkers } from "../deployments/Workers.ts"
import type { Measurement } from "../measurement/Measurement.ts"
import { atLeast, atMost } from "../measurement/Target.ts"

export const workers: Measurement = {
  name: "workers",
  measures:
    "`serve --workers 2` against one worker, 64 connections; the load needs cores of its own, so four are needed",
  ours: gatewayWithWorkers("2 workers", 2),
  rivals: [gatewayWithWorkers("1 worker", 1)],
  rows: [
    { figure: "rate", title: "requests", unit: "/s" },
    { figure: "cpu", title: "CPU per request", unit: "µs" },
    { figure: "p99", title: "p99", unit: "ms" },
    { figure: "memory", title: "memory of all", unit: "MiB" },
    { figure: "tokens", title: "token requests", unit: "" }
  ],
  targets: [atLeast("rate", 1.6, { rivals: ["1 worker"] }), atMost("tokens", 1)]
}
