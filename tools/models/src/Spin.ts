import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { promisify } from "node:util"
import type { Bounds } from "./Checks.ts"

/** The programs that a check runs. */
export interface ModelChecker {
  readonly spin: string
  readonly gcc: string
}

/** What to check of a model. */
export interface ModelRun {
  readonly bounds: Bounds
  /** A rule is taken out by this switch. */
  readonly without?: string
  readonly cycles?: boolean
}

/** What Spin found. */
export interface Verdict {
  /** The words of the first error; undefined if there is none. */
  readonly error: string | undefined
  /** The number of the invariant that is violated. */
  readonly invariant: number | undefined
  /** How many states were explored. */
  readonly states: number
  /** False if a bound of depth or memory kept states from being explored. */
  readonly complete: boolean
}

/** The model of renewal and removal. */
export const renewalModel = resolve(import.meta.dirname, "../../../docs/models/renewal.pml")

/** Explores all states of a model, up to the first error. Ends within a minute for each program that it runs. */
export const checkModel = Effect.fn("Spin.checkModel")(function* (
  { gcc, spin }: ModelChecker,
  model: string,
  { bounds, cycles = false, without }: ModelRun
) {
  const directory = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "model-"))),
    (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
  )
  const run = (program: string, ...words: ReadonlyArray<string>) =>
    Effect.promise(() =>
      promisify(execFile)(program, words, { cwd: directory, timeout: 60_000, maxBuffer: 16 * 1024 * 1024 })
    )
  const defines = Object.entries(bounds).map(([name, value]) => `-D${name}=${value}`)
  yield* run(spin, ...defines, ...(without === undefined ? [] : [`-D${without}`]), "-a", model)
  // Where an error is expected few states are explored, and compiling takes most of the time.
  const optimization = without === undefined ? "-O2" : "-O0"
  const options = ["-w", optimization, `-DMEMLIM=${memory}`, cycles ? "-DNP" : "-DSAFETY"]
  yield* run(gcc, ...options, "-o", "pan", "pan.c")
  const { stdout } = yield* run("./pan", `-m${depth}`, `-w${hashBits}`, ...(cycles ? ["-l"] : []))
  return yield* readVerdict(stdout)
}, Effect.scoped)

/** Megabytes. */
const memory = 1500
/** Slots of the table of states, as a power of two. */
const hashBits = 20
/** Steps of one run. */
const depth = 10_000

/** Reads what `pan` says. */
const readVerdict = (said: string): Effect.Effect<Verdict> => {
  const states = /^\s*(\d+) states, stored/m.exec(said)?.[1]
  const errors = /errors: (\d+)/.exec(said)?.[1]
  if (states === undefined || errors === undefined)
    return Effect.die(new Error(`Spin did not finish:\n${said}`))
  const error = errors === "0" ? undefined : (/^pan:\d+: (.*)$/m.exec(said)?.[1] ?? "an error")
  const invariant = error === undefined ? undefined : /\((\d)>0\)/.exec(error)?.[1]
  return Effect.succeed({
    error,
    invariant: invariant === undefined ? undefined : Number(invariant),
    states: Number(states),
    complete: !/max search depth too small|Search not completed|out of memory|reached -DMEMLIM/.test(said)
  })
}
