import { dirname, join } from "node:path"
import { filesInFolder, type ProjectPlan } from "./Plan.ts"

/** A source file: its path from `src`, and what it imports. */
export interface SourceFile {
  readonly path: string
  readonly imports: ReadonlyArray<string>
}

/** The files directly in `src`. */
const top = "."

/** What others import or start: these files may import everything, and nothing imports them. */
const entryPoints: ReadonlySet<string> = new Set(["index.ts", "internal.ts", "main.ts"])

/** Everything in which the files of one `src` differ from its plan, one line each. */
export const roomProblems = (
  files: ReadonlyArray<SourceFile>,
  rooms: ProjectPlan["rooms"]
): ReadonlyArray<string> => {
  const count = Map.groupBy(files, ({ path }) => dirname(path))
  const unknown = [...count.keys()].filter((room) => room !== top && rooms[room] === undefined)
  const vanished = Object.keys(rooms).filter((room) => room !== top && !count.has(room))
  const full = [...count].filter(([, { length }]) => length > filesInFolder)
  return [
    ...unknown.map((room) => `${room}/ is not in the plan`),
    ...vanished.map((room) => `${room}/ is in the plan only`),
    ...full.map(([room, { length }]) => `${room}/ has ${length} files`),
    ...files.flatMap((file) =>
      file.imports
        .filter((specifier) => !isAllowed(file, specifier, rooms))
        .map((to) => `${file.path} -> ${to}`)
    ),
    ...circles(rooms).map((circle) => `circle in the plan: ${circle}`)
  ]
}

const isAllowed = (file: SourceFile, specifier: string, rooms: ProjectPlan["rooms"]): boolean => {
  if (!specifier.startsWith(".")) return true
  const from = dirname(file.path)
  const target = join(from, specifier)
  const to = dirname(target)
  if (entryPoints.has(target)) return false
  if (from === to || entryPoints.has(file.path)) return true
  if (from === top && rooms[top] === undefined) return true
  return rooms[from]?.includes(to) ?? false
}

/** Rooms from which a way of arrows leads back to them. */
const circles = (rooms: ProjectPlan["rooms"]): ReadonlyArray<string> => {
  const reaches = (from: string, to: string, seen: ReadonlySet<string>): boolean =>
    (rooms[from] ?? []).some(
      (next) => next === to || (!seen.has(next) && reaches(next, to, new Set([...seen, next])))
    )
  return Object.keys(rooms).filter((room) => reaches(room, room, new Set()))
}
