import * as Effect from "effect/Effect"
import type { Contender, Figures, Measurement } from "../../measurement/Measurement.ts"
import { atMost } from "../../measurement/Target.ts"
import { startWorker } from "../../tokens/WorkerContender.ts"

const sizes = [10, 1000, 10_000, 100_000]

/** A process for each size. */
const contender = (name: string, program: string, isOurs = false): Contender => ({
  name,
  start: Effect.fnUntraced(function* (run) {
    const workers = yield* Effect.forEach(sizes, (size) => {
      const keys = Math.max(10, size * run.share)
      const url = new URL(`../../tokens/keys/${program}.ts`, import.meta.url)
      const take = startWorker(url, run, { tokenUrl: "", keys }, isOurs ? run.profileDirectory : undefined)
      return Effect.map(take, (take) => ({ size, take }))
    })
    const takeAll = async (): Promise<Figures> => {
      const figures: Record<string, number> = {}
      for (const { size, take } of workers)
        for (const [name, value] of Object.entries(await take())) figures[`${name}-${size}`] = value
      return figures
    }
    // V8 compiles what is hot.
    yield* Effect.promise(takeAll)
    return takeAll
  })
})

const rowsFor = (figure: string, title: string) =>
  sizes.map((size) => ({
    figure: `${figure}-${size}`,
    title: `${title}, ${size.toLocaleString("en-US")} keys`,
    unit: "µs"
  }))

export const keys: Measurement = {
  name: "keys",
  measures: "a cache that holds 10 to 100,000 tokens: CPU of a read, of a write, and of a write that evicts",
  ours: contender("gateway", "ByGateway", true),
  rivals: [contender("Map", "ByMap")],
  rows: [
    ...rowsFor("read", "read"),
    ...rowsFor("write", "write"),
    ...rowsFor("evict", "evicting write"),
    { figure: "bytes-100000", title: "memory of a token with its key", unit: "bytes" }
  ],
  targets: [
    atMost("read-100000", 2, { ours: "read-10" }),
    atMost("write-100000", 20),
    atMost("evict-100000", 2, { ours: "evict-10" }),
    atMost("bytes-100000", 1024)
  ]
}
