import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

/** A TypeScript file that runs in a process of its own. */
export interface ScriptProcess {
  /** The next line of its standard output. */
  readonly nextLine: Effect.Effect<string>
  /** Kills it as `kill -9` does, and waits until it is gone. */
  readonly kill: Effect.Effect<void>
}

/** Starts a script with arguments; it is killed with the scope. What it writes to standard error is the test's own. */
export const startScript = Effect.fnUntraced(function* (script: URL, ...args: ReadonlyArray<string>) {
  const lines = yield* Queue.unbounded<string>()
  const child = spawn(process.execPath, ["--conditions=@secure-mcp/source", fileURLToPath(script), ...args], {
    stdio: ["ignore", "pipe", "inherit"]
  })
  createInterface({ input: child.stdout }).on("line", (line) => Queue.offerUnsafe(lines, line))
  const kill = Effect.promise(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, "exit")
    child.kill("SIGKILL")
    await gone
  })
  yield* Effect.addFinalizer(() => kill)
  return { nextLine: Queue.take(lines), kill } satisfies ScriptProcess
})
