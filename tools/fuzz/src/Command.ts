import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import { resolve } from "node:path"
import { corpus, keepInput, readCorpus, readInput } from "./run/Corpus.ts"
import { describeFinding, describeResult } from "./run/Report.ts"
import type { FuzzTarget } from "./run/Round.ts"
import { runSession, type SessionOptions, type TargetResult } from "./run/Session.ts"

/** An invariant was broken, or there was nothing to be tried. */
export class NotHeld extends Schema.TaggedError<NotHeld>()("NotHeld", { problem: Schema.String }) {
  override get message(): string {
    return this.problem
  }
}

/**
 * `fuzz`: tries inputs until the time is over. Fails with `NotHeld` if an invariant was broken.
 *
 * @param options.noteInput called with each input before it is tried
 * @param options.findings where inputs are kept that broke an invariant
 */
export const makeFuzzCommand = ({
  findings,
  noteInput,
  targets
}: {
  readonly targets: ReadonlyArray<FuzzTarget>
  readonly noteInput: SessionOptions["noteInput"]
  readonly findings: string
}) =>
  Command.make(
    "fuzz",
    {
      seconds: Flag.Int("seconds").pipe(
        Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 86_400 }))),
        Flag.withDescription("How long to try inputs"),
        Flag.withDefault(60)
      ),
      seed: Flag.Int("seed").pipe(
        Flag.withDescription("The same seed gives the same inputs; default: chance"),
        Flag.optional
      ),
      target: Flag.ChoiceWithValue(
        "target",
        targets.map(({ name }) => [name, name] as const)
      ).pipe(Flag.withDescription("Only this target"), Flag.optional),
      input: Flag.String("input").pipe(
        Flag.withMetavar("FILE"),
        Flag.withDescription("Only this input, which a run has kept"),
        Flag.optional
      )
    },
    Effect.fnUntraced(function* (flags) {
      const results = Option.isSome(flags.input)
        ? yield* replay(targets, flags.input.value, noteInput)
        : yield* search(targets, flags, noteInput)
      yield* Effect.forEach(results, (result) => Console.log(describeResult(result)))
      const found = results.flatMap((result) => result.findings)
      yield* Effect.forEach(found, (finding) =>
        Console.log(`\n${describeFinding(finding, keepInput(findings, finding.target, finding.input))}`)
      )
      const tried = results.reduce((sum, result) => sum + result.tried, 0)
      yield* Console.log(`${tried} inputs, ${found.length} broke an invariant`)
      if (found.length > 0) return yield* new NotHeld({ problem: "An invariant was broken" })
      if (tried === 0) return yield* new NotHeld({ problem: "No input was tried" })
      return undefined
    })
  ).pipe(
    Command.withDescription(
      "Try generated inputs against all that reads what strangers wrote: exit code 0 if every invariant held, else 1"
    )
  )

const search = Effect.fnUntraced(function* (
  targets: ReadonlyArray<FuzzTarget>,
  flags: {
    readonly seconds: number
    readonly seed: Option.Option<number>
    readonly target: Option.Option<string>
  },
  noteInput: SessionOptions["noteInput"]
) {
  const seed = Option.getOrElse(flags.seed, () => undefined) ?? (yield* Random.nextIntBetween(0, 1_000_000))
  yield* Console.log(`seed ${seed}, ${flags.seconds} seconds`)
  const chosen = targets.filter(({ name }) => Option.getOrElse(flags.target, () => name) === name)
  return yield* runSession({
    targets: chosen,
    seconds: flags.seconds,
    seed,
    kept: readCorpus(corpus),
    noteInput
  })
})

const replay = Effect.fnUntraced(function* (
  targets: ReadonlyArray<FuzzTarget>,
  path: string,
  noteInput: SessionOptions["noteInput"]
) {
  // npm starts a script in the folder of its package.
  const kept = readInput(resolve(process.env["INIT_CWD"] ?? ".", path))
  const target = targets.filter(({ name }) => name === kept.target)
  if (target.length === 0) return yield* new NotHeld({ problem: `There is no target "${kept.target}"` })
  return yield* runSession({ targets: target, seconds: 0, seed: 0, kept: [kept], noteInput })
}) satisfies (...arguments_: never) => Effect.Effect<ReadonlyArray<TargetResult>, NotHeld>
