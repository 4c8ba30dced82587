import type { Figures } from "../../measurement/Measurement.ts"
import { cpuPerOperation } from "../CpuPerOperation.ts"

/** A cache of tokens, by number. */
export interface KeyOperations {
  /** Its capacity. */
  readonly keys: number
  readonly milliseconds: number
  /** Reads the tokens with these numbers, which are all there. */
  readonly read: (numbers: ReadonlyArray<number>) => Promise<void>
  /** Writes tokens with these numbers; beyond the capacity the one that was used least recently goes. */
  readonly write: (numbers: ReadonlyArray<number>) => Promise<void>
}

/** Operations between two looks at the clock; few, because an evicting write may take very long. */
const batch = 5

/**
 * Fills the cache, measuring what a token takes, and gives what measures one round: reads, writes that replace, and
 * writes that evict. Keys are taken in a fixed order that looks like chance to a processor's caches.
 */
export const measureKeys = async ({ keys, milliseconds, read, write }: KeyOperations) => {
  const before = heap()
  const numbers = Array.from({ length: keys }, (_, index) => index)
  // Not one key at a time: each call has a cost of its own.
  for (let index = 0; index < keys; index += 1000) await write(numbers.slice(index, index + 1000))
  const bytes = (heap() - before - 8 * keys) / keys
  // The numbers from `first` are in the cache, as many as it holds.
  const state = { first: 0, step: 0 }
  const next = (count: number) =>
    Array.from({ length: count }, () => {
      state.step = (state.step + 7919) % keys
      return state.first + state.step
    })
  const reads = (count: number) => read(next(count))
  const replacing = (count: number) => write(next(count))
  const evicting = (count: number) => {
    const first = state.first + keys
    state.first += count
    return write(Array.from({ length: count }, (_, index) => first + index))
  }
  return async (): Promise<Figures> => {
    const options = { batch, milliseconds }
    const result = {
      read: (await cpuPerOperation(reads, { batch: 100, milliseconds })).cpu,
      write: (await cpuPerOperation(replacing, { batch: 100, milliseconds })).cpu
    }
    // Used in their order, they go in this order.
    await read(Array.from({ length: keys }, (_, index) => state.first + index))
    return { ...result, evict: (await cpuPerOperation(evicting, options)).cpu, bytes }
  }
}

const heap = (): number => {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}
