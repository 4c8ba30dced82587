import type { Measurement } from "./measurement/Measurement.ts"
import { bodies } from "./measurements/Bodies.ts"
import { bridge } from "./measurements/Bridge.ts"
import { cached } from "./measurements/tokens/Cached.ts"
import { cold } from "./measurements/tokens/Cold.ts"
import { inbound } from "./measurements/tokens/Inbound.ts"
import { instances } from "./measurements/Instances.ts"
import { keys } from "./measurements/tokens/Keys.ts"
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
  inbound,
  bridge,
  relay,
  start,
  subjects,
  workers,
  memory,
  instances
]
