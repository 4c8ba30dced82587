import * as Effect from "effect/Effect"
import { type ChildProcess, spawn, type StdioOptions } from "node:child_process"
import { once } from "node:events"
import { CouldNotStart } from "./CouldNotStart.ts"

/** A process that runs until the scope closes. */
export interface StartedProcess {
  readonly child: ChildProcess
  readonly pid: number
  /** The last of what it wrote to standard output and standard error. */
  readonly output: () => string
}

export interface ProcessOptions {
  readonly env?: NodeJS.ProcessEnv
  /** Standard input and output belong to the caller; else input is empty and the output is remembered. */
  readonly isStdio?: boolean
  /** Adds a channel for messages between Node processes. */
  readonly isTalking?: boolean
}

/** Characters of output that are remembered. */
const longestOutput = 20_000

/**
 * A program in a process group of its own, which ends with the scope: the program by SIGTERM, so that it can write a
 * profile, and after five seconds whoever is left of the group by SIGKILL.
 */
export const startProcess = Effect.fnUntraced(function* (
  command: string,
  args: ReadonlyArray<string>,
  { env = {}, isStdio = false, isTalking = false }: ProcessOptions = {}
) {
  const stdio: StdioOptions = [
    isStdio ? "pipe" : "ignore",
    "pipe",
    "pipe",
    ...(isTalking ? (["ipc"] as const) : [])
  ]
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(command, args, {
        stdio,
        detached: true,
        env: { PATH: process.env["PATH"], HOME: process.env["HOME"], NO_COLOR: "1", ...env }
      })
    ),
    (child) => Effect.promise(() => end(child))
  )
  const said = { text: "" }
  const remember = (text: string) => (said.text = (said.text + text).slice(-longestOutput))
  child.stderr?.setEncoding("utf8").on("data", remember)
  if (!isStdio) child.stdout?.setEncoding("utf8").on("data", remember)
  yield* Effect.callback<void, CouldNotStart>((resume) => {
    child.once("spawn", () => resume(Effect.void))
    child.once("error", (error) =>
      resume(
        Effect.fail(
          new CouldNotStart({
            program: command,
            reason: error.message,
            isMissing: "code" in error && error.code === "ENOENT"
          })
        )
      )
    )
  })
  return { child, pid: child.pid ?? 0, output: () => said.text } satisfies StartedProcess
})

/** Waits until the output of a process holds what is looked for; gives the first group of the expression. */
export const awaitOutput = (started: StartedProcess, program: string, wanted: RegExp) =>
  Effect.callback<string, CouldNotStart>((resume) => {
    const look = () => {
      const found = wanted.exec(started.output())
      if (found !== null) resume(Effect.succeed(found[1] ?? ""))
    }
    started.child.once("close", () =>
      resume(Effect.fail(new CouldNotStart({ program, reason: started.output() })))
    )
    started.child.stdout?.on("data", look)
    started.child.stderr?.on("data", look)
    look()
  }).pipe(
    Effect.timeoutOrElse({
      duration: "30 seconds",
      orElse: () =>
        Effect.fail(new CouldNotStart({ program, reason: `it said nothing in time: ${started.output()}` }))
    })
  )

const end = async (child: ChildProcess): Promise<void> => {
  const { pid } = child
  if (pid === undefined) return
  if (child.exitCode === null && child.signalCode === null) {
    const gone = once(child, "exit")
    child.kill("SIGTERM")
    const patience = setTimeout(() => killGroup(pid), 5000)
    await gone
    clearTimeout(patience)
  }
  killGroup(pid)
}

const killGroup = (pid: number): void => {
  try {
    process.kill(-pid, "SIGKILL")
  } catch {
    // Nobody is left.
  }
}
