/** What a gateway's process says about itself. */
export interface Figures {
  /** The longest time that the event loop did not turn since the measurement began, in milliseconds. */
  readonly longestStall: number
  /** The most processor time between two turns of the event loop, in milliseconds: the same on a busy machine. */
  readonly longestComputation: number
  /** Resident memory now, in MiB. */
  readonly memory: number
  /** The most resident memory since the measurement began, in MiB. */
  readonly highestMemory: number
  /** Objects of JavaScript, in MiB. */
  readonly heap: number
  /** Sockets, timers and the like that are open. */
  readonly handles: number
}
