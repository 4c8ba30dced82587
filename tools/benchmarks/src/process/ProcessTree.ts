import { readdirSync, readFileSync } from "node:fs"

/** What a process and its descendants have used so far. */
export interface Usage {
  /** User and system time, with that of children that have ended, in microseconds. */
  readonly cpu: number
  /** Resident memory of all, in MiB; pages that processes share count in each. */
  readonly memory: number
}

/** Microseconds of a tick, in which the kernel gives times (`getconf CLK_TCK` is 100 on every Linux). */
const tick = 10_000
const pageInMiB = 4096 / 2 ** 20

/** Looks into `/proc`; a process that has ended has used nothing. */
export const usageOf = (root: number): Usage => {
  const stats = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap(readStat)
  const tree = new Set([root])
  // A child is often listed before its parent, where process ids have wrapped around.
  for (let size = 0; size !== tree.size;) {
    size = tree.size
    for (const { parent, pid } of stats) if (tree.has(parent)) tree.add(pid)
  }
  const members = stats.filter(({ pid }) => tree.has(pid))
  return {
    cpu: members.reduce((sum, { ticks }) => sum + ticks, 0) * tick,
    memory: members.reduce((sum, { pages }) => sum + pages, 0) * pageInMiB
  }
}

/** Fields of proc_pid_stat(5); the name of the command in parentheses may hold anything. */
const readStat = (name: string) => {
  try {
    const text = readFileSync(`/proc/${name}/stat`, "latin1")
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ")
    const field = (number: number) => Number(fields[number - 3] ?? 0)
    return [
      {
        pid: Number(name),
        parent: field(4),
        ticks: field(14) + field(15) + field(16) + field(17),
        pages: field(24)
      }
    ]
  } catch {
    return []
  }
}
