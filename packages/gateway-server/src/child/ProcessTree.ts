import type { ChildProcess } from "node:child_process"
import type { ProcessSystem } from "./ProcessSystem.ts"

/** A child process and all that it has started and that has not left its process group. */
export interface ProcessTree {
  /** Signals every process of the tree. On Windows, which has no signals, every signal ends them. */
  readonly signal: (signal: NodeJS.Signals) => void
  /** Whether a process of the tree is left. On Windows only the child itself is looked at. */
  readonly isAlive: () => boolean
}

/** The tree of a child that was started with a process group of its own (`detached`), except on Windows. */
export const processTree = (
  child: Pick<ChildProcess, "pid" | "exitCode" | "signalCode">,
  system: ProcessSystem
): ProcessTree => {
  const { pid } = child
  const hasExited = () => child.exitCode !== null || child.signalCode !== null
  if (pid === undefined) return { signal: () => {}, isAlive: () => false }
  if (system.platform === "win32")
    return {
      // Once the child has ended, its id may be another process's.
      signal: () => {
        if (!hasExited()) system.run("taskkill", ["/pid", String(pid), "/T", "/F"])
      },
      isAlive: () => !hasExited()
    }
  /** Once the group is gone, its id may be another's. */
  let isGone = false
  const send = (signal: NodeJS.Signals | 0) => {
    if (isGone) return
    try {
      system.kill(-pid, signal)
    } catch (error) {
      // EPERM: what is left belongs to another user, or has ended and was not collected (macOS).
      isGone = hasExited() || !hasCode(error, "ESRCH")
    }
  }
  return {
    signal: send,
    isAlive: () => {
      send(0)
      return !isGone
    }
  }
}

const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && "code" in error && error.code === code
