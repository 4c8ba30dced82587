import * as Effect from "effect/Effect"
import { readdirSync, readFileSync } from "node:fs"

/** Whether this system tells about its processes the way Linux does. */
export const canListProcesses = process.platform === "linux"

/** The command lines of a process and of all below it, as any user of the machine can read them. */
export const commandLinesBelow = (pid: number): Effect.Effect<ReadonlyArray<string>> =>
  Effect.sync(() => {
    const parents = new Map(
      readdirSync("/proc")
        .filter((name) => /^\d+$/.test(name))
        .map((name) => [Number(name), parentOf(name)] as const)
    )
    const isBelow = (one: number | undefined): boolean =>
      one !== undefined && (one === pid || isBelow(parents.get(one)))
    return [...parents.keys()]
      .filter(isBelow)
      .map((one) => read(`/proc/${one}/cmdline`).replaceAll("\0", " "))
  })

/** The process name, in parentheses before it, may hold anything. */
const parentOf = (name: string): number | undefined => {
  const [, parent] = read(`/proc/${name}/stat`)
    .replace(/^.*\) /s, "")
    .split(" ")
  return parent === undefined ? undefined : Number(parent)
}

/** A process may be gone before it is looked at. */
const read = (path: string): string => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return ""
  }
}
