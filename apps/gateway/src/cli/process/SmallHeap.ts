import * as Effect from "effect/Effect"
import { setFlagsFromString } from "node:v8"

/**
 * Keeps the heap of this process small: for one that runs beside a client, as often as a person has servers and clients,
 * and has little to do. The space for new objects stays as it is, where V8 would enlarge it up to a hundred MiB, and the other
 * is collected when a tenth was added, where V8 would wait for the double. V8 reads both settings at each collection.
 */
export const keepHeapSmall = Effect.sync(() => {
  setFlagsFromString("--semi-space-growth-factor=1")
  setFlagsFromString("--heap-growing-percent=10")
})
