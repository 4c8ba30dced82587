import { spawnSync } from "node:child_process"
import spawn from "cross-spawn"

/** What starting and ending processes needs of the system. The tests of Windows give their own. */
export interface ProcessSystem {
  readonly platform: NodeJS.Platform
  readonly spawn: typeof spawn
  readonly kill: (pid: number, signal: NodeJS.Signals | 0) => void
  /** Runs a command to its end. */
  readonly run: (command: string, args: ReadonlyArray<string>) => void
}

/** The system this process runs on. */
export const currentSystem: ProcessSystem = {
  platform: process.platform,
  spawn,
  kill: (pid, signal) => void process.kill(pid, signal),
  // Synchronous, because it is also needed while this process ends.
  run: (command, args) => void spawnSync(command, args, { windowsHide: true, stdio: "ignore" })
}
