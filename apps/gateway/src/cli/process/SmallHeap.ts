import { channel } from "node:diagnostics_channel"
import { setFlagsFromString } from "node:v8"

/**
 * Keeps the heap of this process small: for one that runs beside a client, as often as a person has servers and clients,
 * and has little to do. The space for new objects stays as it is, where V8 would enlarge it up to a hundred MiB, and the other
 * is collected when a tenth was added, where V8 would wait for the double. V8 reads both settings at each collection.
 *
 * To be called once the process has started: V8 takes nothing that was compiled with other settings, so every module of Node and of ours
 * that is loaded from then on is compiled anew. `bin/compiled.cjs` is told, and keeps what was compiled so far.
 */
export const keepHeapSmall = () => {
  channel("secure-mcp-gateway:v8-settings").publish(undefined)
  setFlagsFromString("--semi-space-growth-factor=1")
  setFlagsFromString("--heap-growing-percent=10")
}
