import * as Effect from "effect/Effect"
import { spawn, type ChildProcess } from "node:child_process"
import { once } from "node:events"
import { readFile } from "node:fs/promises"
import { baseEnvironment } from "../../cli/gatewayProcess.ts"
import type { KillableCommand } from "./CommandBundle.ts"

/** What a command counts as a step, and the step before which it is killed; 0 lets it live. */
export interface KillSettings {
  readonly at: number
  readonly journal: string
  /** The port of the authorization server. */
  readonly http: number
  /** The port of Redis, or the folder of the files. */
  readonly store: number | string
}

/** A command that runs, for whoever works with it. */
export interface RunningCommand {
  /** Completes once a stream matches, with what was found; undefined if the command ended before. */
  readonly says: (stream: "stdout", pattern: RegExp) => Effect.Effect<string | undefined>
  readonly paste: (line: string) => Effect.Effect<void>
  readonly kill: Effect.Effect<void>
}

/** A command that ended or was killed. */
export interface EndedCommand {
  readonly killed: boolean
  /** The steps it began; if it was killed, the last one never happened. */
  readonly steps: ReadonlyArray<string>
  readonly said: string
}

/** Runs a command of the bundle, which is killed at a step. */
export const runKilled = Effect.fnUntraced(function* (
  killable: KillableCommand,
  args: ReadonlyArray<string>,
  settings: KillSettings,
  work: (command: RunningCommand) => Effect.Effect<unknown> = () => Effect.void
) {
  const child = spawn(process.execPath, [...killable, ...args], {
    env: { ...baseEnvironment, ...environmentOf(settings) }
  })
  const said = { stdout: "", stderr: "" }
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said.stdout += text))
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said.stderr += text))
  child.stdin.on("error", () => {})
  const ended = once(child, "close")
  const stopped = { byTest: false }
  yield* work({
    says: (stream, pattern) =>
      Effect.promise(() => untilSaid(child, () => pattern.exec(said[stream])?.[0], child[stream])),
    paste: (line) => Effect.sync(() => void child.stdin.write(`${line}\n`)),
    kill: Effect.sync(() => {
      stopped.byTest = child.signalCode === null
      child.kill("SIGKILL")
    })
  })
  yield* Effect.promise(() => ended)
  const steps = (yield* Effect.promise(() => readFile(settings.journal, "utf8"))).trim().split("\n")
  const all = said.stdout + said.stderr
  const killed = settings.at > 0 && steps.length === settings.at && child.signalCode === "SIGKILL"
  if (!killed && !stopped.byTest && child.exitCode !== 0) return yield* Effect.die(new Error(all))
  return { killed, steps, said: all } satisfies EndedCommand
})

const environmentOf = ({ at, http, journal, store }: KillSettings) => ({
  KILL_AT: String(at),
  KILL_JOURNAL: journal,
  KILL_HTTP: String(http),
  ...(typeof store === "string" ? { KILL_STORE: store } : { KILL_REDIS: String(store) })
})

const untilSaid = (
  child: ChildProcess,
  find: () => string | undefined,
  stream: NodeJS.ReadableStream
): Promise<string | undefined> =>
  new Promise((resolve) => {
    const look = () => {
      const found = find()
      if (found === undefined) return
      stream.off("data", look)
      resolve(found)
    }
    child.once("close", () => resolve(find()))
    stream.on("data", look)
    look()
  })
