/**
 * Imported into the gateway's process before its command (`node --import`): answers the parent's questions about the event
 * loop and the memory. It keeps nothing alive and changes nothing.
 */
import { monitorEventLoopDelay } from "node:perf_hooks"
import type { Figures } from "./Figures.ts"

/** Milliseconds between two looks. */
const interval = 5

const delay = monitorEventLoopDelay({ resolution: interval })
delay.enable()

const longest = { computing: 0, memory: 0 }
const last = { computed: process.threadCpuUsage() }

// Time of the processor, and not of a clock: other processes of a busy machine do not count.
setInterval(() => {
  const now = process.threadCpuUsage()
  const milliseconds = (now.user + now.system - last.computed.user - last.computed.system) / 1000
  longest.computing = Math.max(longest.computing, milliseconds)
  longest.memory = Math.max(longest.memory, process.memoryUsage.rss())
  last.computed = now
}, interval).unref()

const figures = (): Figures => ({
  longestStall: Math.max(0, delay.max / 1e6 - interval),
  longestComputation: longest.computing,
  memory: process.memoryUsage.rss() / 2 ** 20,
  highestMemory: Math.max(longest.memory, process.memoryUsage.rss()) / 2 ** 20,
  heap: process.memoryUsage().heapUsed / 2 ** 20,
  handles: process.getActiveResourcesInfo().length
})

process.on("message", (question) => {
  if (question === "collect") globalThis.gc?.()
  if (question === "begin") {
    delay.reset()
    longest.computing = 0
    longest.memory = 0
  }
  process.send?.(figures())
})
process.channel?.unref()
