import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type InputUnderWay, readUnderWay, underWayVariable } from "./UnderWay.ts"

/** How a process ended. */
export type SessionEnd =
  /** By itself, with this exit code. */
  | { readonly _tag: "Ended"; readonly exitCode: number }
  /** An input stopped it, or ended it. */
  | { readonly _tag: "Lost"; readonly problem: string; readonly underWay: InputUnderWay | undefined }

/**
 * How long a process may try one input, in milliseconds: more than an input may take that gets no answer. Its own clock
 * cannot end a computation that never ends.
 */
const longestSilence = 90_000

/**
 * Runs a session in a process of its own, and ends it if it does not go on. Interrupting this ends the process.
 *
 * @param options.command the arguments of Node
 * @param options.silence milliseconds
 */
export const supervise = ({
  command,
  silence = longestSilence
}: {
  readonly command: ReadonlyArray<string>
  readonly silence?: number
}): Effect.Effect<SessionEnd> =>
  Effect.acquireUseRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "fuzz-"))),
    (folder) => {
      const file = join(folder, "under-way.json")
      writeFileSync(file, "")
      return run(command, file, silence)
    },
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )

const run = (command: ReadonlyArray<string>, file: string, silence: number): Effect.Effect<SessionEnd> =>
  Effect.callback((resume) => {
    const child = spawn(process.execPath, [...command], {
      stdio: "inherit",
      env: { ...process.env, [underWayVariable]: file }
    })
    let isSilent = false
    const timer = setInterval(
      () => {
        if (Date.now() - statSync(file).mtimeMs < silence) return
        isSilent = true
        child.kill("SIGKILL")
      },
      Math.min(1000, silence)
    )
    const lost = (problem: string): SessionEnd => ({ _tag: "Lost", problem, underWay: readUnderWay(file) })
    child.once("error", (error) => {
      clearInterval(timer)
      resume(Effect.succeed(lost(`no session: ${error.message}`)))
    })
    child.once("exit", (code, signal) => {
      clearInterval(timer)
      if (isSilent)
        return resume(
          Effect.sync(() => lost(`no stall: it had not ended after ${Math.round(silence / 1000)} seconds`))
        )
      return resume(
        Effect.sync(() =>
          code === 0 || code === 1
            ? { _tag: "Ended", exitCode: code }
            : lost(`no crash: the process ended with ${signal ?? `exit code ${code}`}`)
        )
      )
    })
    return Effect.sync(() => {
      clearInterval(timer)
      child.kill("SIGKILL")
    })
  })
