import type { Figures } from "../../measurement/Measurement.ts"
import { cpuPerOperation } from "../CpuPerOperation.ts"

/** Acquisitions under way at once. */
export const atOnce = 16

/** Acquisitions before the first that counts: V8 compiles what is hot, however slow the machine is. With ours it is done after 8,000. */
const warmUp = 10_000

/**
 * Sixteen callers, each of which gets one token after the other. Gives what measures the CPU time and the rate of one
 * acquisition.
 */
export const measureAcquisitions = async (
  acquire: (slot: number) => Promise<string>,
  { milliseconds, share }: { readonly milliseconds: number; readonly share: number }
): Promise<() => Promise<Figures>> => {
  const operations = async (count: number) => {
    const work = async (slot: number) => {
      for (let done = 0; done < count / atOnce; done++)
        if (!(await acquire(slot)).startsWith("token-")) throw new Error("This is no token of the server")
    }
    await Promise.all(Array.from({ length: atOnce }, (_, slot) => work(slot)))
  }
  await operations(warmUp * share)
  return async () => ({
    ...(await cpuPerOperation(operations, { batch: atOnce * 5, milliseconds: milliseconds * 3 }))
  })
}
