import * as Effect from "effect/Effect"
import { transferSlowly } from "../load/SlowReader.ts"
import type { Figures, Run } from "../measurement/Measurement.ts"
import { startServer } from "../process/NodeProgram.ts"
import { usageOf } from "../process/ProcessTree.ts"
import { longAnswerServer } from "../servers/Servers.ts"
import type { Proxy } from "./Proxy.ts"

/** Megabytes of JavaScript objects that the proxy may have at most. */
const heapLimit = 256

/**
 * Sends a gibibyte through a proxy and back, to a reader who rests now and then. Gives by how much the memory of the
 * proxy grew at most, in MiB.
 */
export const transferGibibyte = Effect.fnUntraced(function* (proxy: Proxy, run: Run) {
  const server = yield* startServer(longAnswerServer)
  const { pid, url } = yield* proxy.start(run, server.url, [`--max-old-space-size=${heapLimit}`])
  return yield* Effect.promise(async (): Promise<Figures> => {
    const bytes = Math.round(2 ** 30 * run.share)
    await transferSlowly({ url, bytes: 2 ** 20 })
    const before = usageOf(pid).memory
    const highest = { memory: before }
    const watch = setInterval(() => {
      highest.memory = Math.max(highest.memory, usageOf(pid).memory)
    }, 50)
    const received = await transferSlowly({ url, bytes }).finally(() => clearInterval(watch))
    if (received !== bytes) throw new Error(`${received} of ${bytes} bytes came back through ${proxy.name}`)
    return { growth: highest.memory - before }
  })
}, Effect.scoped)
