import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { parseArgs } from "node:util"
import { type Sample, soak } from "./Soak.ts"
import { problemsOf } from "./Verdict.ts"

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "600" },
    rate: { type: "string", default: "100" }
  }
})

const line = ({ failed, handles, heap, longestComputation, memory, requests, second }: Sample): string =>
  [
    `${second.toFixed(0).padStart(4)} s`,
    `${requests} requests`,
    `${failed} failed`,
    `heap ${heap.toFixed(0)} MiB`,
    `memory ${memory.toFixed(0)} MiB`,
    `handles ${handles}`,
    `longest computation ${longestComputation.toFixed(0)} ms`
  ].join("  ")

const positive = (name: string, text: string): number => {
  const number = Number(text)
  if (Number.isFinite(number) && number > 0) return number
  throw new Error(`--${name} must be a number above 0`)
}

const program = Effect.gen(function* () {
  const result = yield* soak({
    seconds: positive("seconds", values.seconds),
    rate: positive("rate", values.rate),
    interval: 10_000,
    onSample: (sample) => void process.stdout.write(`${line(sample)}\n`)
  })
  const times = Map.groupBy(result.disturbed, ({ what }) => what)
  yield* Console.log("\nDisturbances")
  for (const [what, all] of times) yield* Console.log(`  ${what}: ${all.length} times`)
  yield* Console.log(`\nErrors by reason, of ${result.requests} requests`)
  if (result.failures.length === 0) yield* Console.log("  none")
  for (const { count, isAllowed, reason, route } of result.failures)
    yield* Console.log(
      `  ${route}: ${reason} ${count} times${isAllowed ? "" : ", which should have succeeded"}`
    )
  const problems = problemsOf(result)
  yield* Console.log(
    problems.length === 0 ? "\nHeld" : `\nNot held:\n${problems.map((one) => `  ${one}`).join("\n")}`
  )
  process.exitCode = problems.length === 0 ? 0 : 1
})

Effect.runPromise(Effect.scoped(program)).catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`)
  process.exitCode = 1
})
