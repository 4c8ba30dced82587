import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { fileURLToPath } from "node:url"
import { findings, keepInput } from "./run/Corpus.ts"
import { describeFinding } from "./run/Report.ts"
import { supervise } from "./run/Supervisor.ts"

const session = fileURLToPath(new URL("session.ts", import.meta.url))

const program = Effect.gen(function* () {
  const end = yield* supervise({ command: [...process.execArgv, session, ...process.argv.slice(2)] })
  if (end._tag === "Ended") {
    process.exitCode = end.exitCode
    return
  }
  process.exitCode = 1
  const { problem, underWay } = end
  if (underWay === undefined) return yield* Console.log(problem)
  const file = keepInput(findings, underWay.target, underWay.input)
  yield* Console.log(describeFinding({ ...underWay, problem, seed: undefined }, file))
})

NodeRuntime.runMain(program)
