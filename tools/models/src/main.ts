import { gccProgram, requireProgram, spinProgram } from "@secure-mcp/testing"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { fullChecks, ruleChecks, switchOf } from "./Checks.ts"
import { checkModel, renewalModel, type ModelRun } from "./Spin.ts"

/** `npm run models`: says of each check what Spin found and how many states it explored. Fails if that is not as it should be. */
const program = Effect.gen(function* () {
  const [spin, gcc] = [requireProgram(spinProgram), requireProgram(gccProgram)]
  if (spin === undefined || gcc === undefined) return false
  const check = Effect.fnUntraced(function* (name: string, run: ModelRun, invariant: number | undefined) {
    const verdict = yield* checkModel({ spin, gcc }, renewalModel, run)
    const found =
      verdict.error === undefined ? "no error" : `invariant ${verdict.invariant ?? "?"} is violated`
    const isRight =
      verdict.invariant === invariant && (invariant !== undefined || verdict.error === undefined)
    const isComplete = invariant !== undefined || verdict.complete
    const isGood = isRight && isComplete
    yield* Console.log(
      `${isGood ? "ok   " : "WRONG"} ${name}: ${found}, ${verdict.states} states${verdict.complete || invariant !== undefined ? "" : ", not all"}`
    )
    return isGood
  })
  const full = yield* Effect.forEach(fullChecks, ({ name, ...run }) => check(name, run, undefined))
  const rules = yield* Effect.forEach(ruleChecks, ({ bounds, invariant, rule }) =>
    check(`without "${rule}"`, { bounds, without: switchOf(rule) }, invariant)
  )
  return [...full, ...rules].every((isGood) => isGood)
})

process.exitCode = (await Effect.runPromise(program)) ? 0 : 1
