import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import { targets } from "./Catalogue.ts"
import { makeFuzzCommand } from "./Command.ts"
import { findings } from "./run/Corpus.ts"
import { type InputUnderWay, underWayVariable, writeUnderWay } from "./run/UnderWay.ts"

const underWay = process.env[underWayVariable]

const noteInput = (input: InputUnderWay) => {
  if (underWay !== undefined) writeUnderWay(underWay, input)
}

Effect.runPromise(
  Command.run(makeFuzzCommand({ targets, noteInput, findings }), { version: "0.1.0" }).pipe(
    Effect.catchTag("NotHeld", ({ message }) =>
      Effect.sync(() => {
        process.stderr.write(`${message}\n`)
        process.exitCode = 1
      })
    ),
    Effect.provide(NodeServices.layer)
  )
).then(
  // What an input has left behind must not keep the process.
  () => process.exit(),
  (error: unknown) => {
    process.stderr.write(`${String(error)}\n`)
    process.exit(1)
  }
)
