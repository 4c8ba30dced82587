import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { parseArgs } from "node:util"
import type { Attack, Form } from "./attack/Attack.ts"
import { gotThrough, report } from "./attack/Report.ts"
import { attacks } from "./Catalogue.ts"

const { values } = parseArgs({
  options: {
    short: { type: "boolean", default: false },
    list: { type: "boolean", default: false },
    only: { type: "string", multiple: true, default: [] }
  }
})

const carryOut = (attack: Attack, form: Form) =>
  Effect.gen(function* () {
    const [duration, outcome] = yield* Effect.timed(Effect.scoped(attack.run(form)))
    yield* Console.log(report(attack, outcome, Duration.toSeconds(duration)))
    return gotThrough(outcome)
  }).pipe(
    Effect.catchCause((cause) =>
      Effect.as(Console.log(`BROKEN   ${attack.name}  could not be carried out: ${String(cause)}`), 1)
    )
  )

/** Gives those that got through. */
const carryOutAll = (chosen: ReadonlyArray<Attack>, form: Form, concurrency: number) =>
  Effect.filter(chosen, (attack) => Effect.map(carryOut(attack, form), (count) => count > 0), { concurrency })

const program = Effect.gen(function* () {
  if (values.list)
    return yield* Effect.forEach(attacks, ({ name, tries }) => Console.log(`${name}: ${tries}`))
  const unknown = values.only.filter((name) => !attacks.some((attack) => attack.name === name))
  if (unknown.length > 0) {
    yield* Console.error(`There is no attack ${unknown.join(", ")}. \`--list\` shows all.`)
    process.exitCode = 1
    return undefined
  }
  const chosen = attacks.filter(({ name }) => values.only.length === 0 || values.only.includes(name))
  const first = yield* carryOutAll(chosen, { isShort: values.short }, values.short ? 2 : 1)
  // A busy machine may miss a time limit once. Alone, an attack is disturbed by nothing of ours.
  const again = values.short && first.length > 0
  if (again) yield* Console.log("Once more, one after the other:")
  const through = again ? yield* carryOutAll(first, { isShort: true }, 1) : first
  yield* Console.log(`${chosen.length} attacks, ${through.length} got through`)
  process.exitCode = through.length === 0 ? 0 : 1
  return undefined
})

Effect.runPromise(program).catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`)
  process.exitCode = 1
})
