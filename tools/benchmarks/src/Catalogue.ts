import type { Measurement } from "./measurement/Measurement.ts"
import { bodies } from "./measurements/Bodies.ts"
import { bridge } from "./measurements/Bridge.ts"
import { cached } from "./measurements/Cached.ts"
import { cold } from "./measurements/Cold.ts"
import { instances } from "./measurements/Instances.ts"
import { keys } from "./measurements/Keys.ts"
import { latency } from "./measurements/Latency.ts"
import { memory } from "./measurements/Memory.ts"
import { relay } from "./measurements/Relay.ts"
import { sse } from "./measurements/Sse.ts"
import { start } from "./measurements/Start.ts"
import { stampede } from "./measurements/Stampede.ts"
import { subjects } from "./measurements/Subjects.ts"
import { workers } from "./measurements/Workers.ts"
import { warm } from "./measurements/Warm.ts"

/** Every measurement, in the order in which they run. */
export const measurements: ReadonlyArray<Measurement> = [
  warm,
  latency,
  bodies,
  sse,
  cached,
  keys,
  cold,
  stampede,
  bridge,
  relay,
  start,
  subjects,
  workers,
  memory,
  instances
]
