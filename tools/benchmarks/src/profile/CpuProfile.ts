import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { Origins } from "./Origins.ts"

/** A `.cpuprofile`, as V8 writes it: nodes of a call tree, and how often each was met. */
interface CpuProfile {
  readonly nodes: ReadonlyArray<{
    readonly id: number
    readonly callFrame: {
      readonly functionName: string
      readonly url: string
      readonly lineNumber: number
      readonly columnNumber: number
    }
  }>
  readonly samples: ReadonlyArray<number>
  /** Microseconds since the sample before. */
  readonly timeDeltas: ReadonlyArray<number>
}

/** Where time was spent. */
export interface HotPlace {
  readonly name: string
  /** Milliseconds in it, without what it calls. */
  readonly self: number
}

const waiting = new Set(["(idle)", "(program)", "(root)"])

/** Self time by function and by file, the longest first. */
export const hotPlaces = (
  profile: CpuProfile,
  placeOf: (url: string, line: number, column: number) => string
) => {
  const times = new Map<number, number>()
  profile.samples.forEach((id, index) =>
    times.set(id, (times.get(id) ?? 0) + (profile.timeDeltas[index] ?? 0) / 1000)
  )
  const functions = new Map<string, number>()
  const files = new Map<string, number>()
  for (const { callFrame, id } of profile.nodes) {
    const self = times.get(id)
    const { columnNumber, functionName, lineNumber, url } = callFrame
    if (self === undefined || waiting.has(functionName)) continue
    const place = url === "" ? functionName : placeOf(url, lineNumber, columnNumber)
    const name = url === "" ? functionName : `${functionName === "" ? "(anonymous)" : functionName}  ${place}`
    functions.set(name, (functions.get(name) ?? 0) + self)
    const file = place.replace(/:\d+$/, "")
    files.set(file, (files.get(file) ?? 0) + self)
  }
  return { functions: hottest(functions), files: hottest(files) }
}

const hottest = (times: ReadonlyMap<string, number>): ReadonlyArray<HotPlace> =>
  [...times].map(([name, self]) => ({ name, self })).toSorted((a, b) => b.self - a.self)

const most = 40

/** The hottest functions and files of every profile in a folder, as text. */
export const hottestFunctions = (directory: string): string =>
  readdirSync(directory)
    .filter((name) => name.endsWith(".cpuprofile"))
    .map((name) => {
      const origins = new Origins()
      const profile: CpuProfile = JSON.parse(readFileSync(join(directory, name), "utf8"))
      const { files, functions } = hotPlaces(profile, (url, line, column) =>
        origins.placeOf(url, line, column)
      )
      const total = files.reduce((sum, { self }) => sum + self, 0)
      const list = (places: ReadonlyArray<HotPlace>) =>
        places
          .slice(0, most)
          .map(
            ({ name, self }) =>
              `  ${self.toFixed(0).padStart(7)} ms ${((100 * self) / total).toFixed(1).padStart(5)} %  ${name}`
          )
          .join("\n")
      return `\n${join(directory, name)}: ${total.toFixed(0)} ms\n\n by function\n${list(functions)}\n\n by file\n${list(files)}`
    })
    .join("\n")
