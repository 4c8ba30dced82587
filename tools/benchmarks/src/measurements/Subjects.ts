import { requestsOfPersons } from "../deployments/Persons.ts"
import type { Measurement } from "../measurement/Measurement.ts"
import { atMost } from "../measurement/Target.ts"

export const subjects: Measurement = {
  name: "subjects",
  measures: "20,000 persons at one gateway, each with a token, whose requests come in turn; and one person",
  ours: requestsOfPersons("20,000 persons", 20_000),
  rivals: [requestsOfPersons("1 person", 1)],
  rows: [
    { figure: "cpu", title: "CPU per request", unit: "µs" },
    { figure: "rate", title: "requests", unit: "/s" },
    { figure: "p99", title: "p99", unit: "ms" },
    { figure: "memory", title: "memory", unit: "MiB" }
  ],
  targets: [atMost("cpu", 1.2, { rivals: ["1 person"] })]
}
