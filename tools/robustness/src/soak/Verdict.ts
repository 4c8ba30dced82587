import type { SoakResult } from "./Soak.ts"

/** Seconds after which memory may not grow. */
const settled = 60
/** MiB of the heap, and of resident memory, that count as noise. */
const [heapNoise, memoryNoise] = [10, 60]
/** Handles that count as noise: connections that are kept open for the next request. */
const handleNoise = 30

/** The share of persons' requests that may fail where connections broke. */
const brokenShare = 0.05

/** What went wrong, a line each. */
export const problemsOf = (result: SoakResult): ReadonlyArray<string> => {
  const { failures, isRunning, lostGrants, requests, samples } = result
  const forbidden = failures.filter(({ isAllowed }) => !isAllowed)
  const broken = failures.filter(({ isAllowed, reason }) => isAllowed && reason === "ConnectionFailed")
  const share = broken.reduce((sum, { count }) => sum + count, 0) / Math.max(1, requests)
  return [
    ...forbidden.map(({ count, reason, route }) => `${count} requests of ${route} failed: ${reason}`),
    ...(share <= brokenShare ? [] : [`${(share * 100).toFixed(1)} % failed because connections broke`]),
    ...(isRunning ? [] : ["the gateway ended"]),
    ...(lostGrants === 0 ? [] : [`${lostGrants} grants were lost`]),
    ...growthOf(samples)
  ]
}

/** The medians of the minute after the first one and of the last minute are compared. */
const growthOf = (samples: SoakResult["samples"]): ReadonlyArray<string> => {
  const last = samples.at(-1)
  if (last === undefined || last.second < 3 * settled) return []
  const early = samples.filter(({ second }) => second >= settled && second < 2 * settled)
  const late = samples.filter(({ second }) => second >= last.second - settled)
  const grown = (name: "heap" | "memory" | "handles", noise: number, unit: string) => {
    const from = median(early.map((sample) => sample[name]))
    const to = median(late.map((sample) => sample[name]))
    return to - from <= noise ? [] : [`${name} grew from ${from.toFixed(0)} to ${to.toFixed(0)}${unit}`]
  }
  return [
    ...grown("heap", heapNoise, " MiB"),
    ...grown("memory", memoryNoise, " MiB"),
    ...grown("handles", handleNoise, "")
  ]
}

const median = (values: ReadonlyArray<number>): number =>
  values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0
