import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import { diagnose } from "../doctor/Diagnosis.ts"
import { isPossible, reportJson, reportLines } from "../doctor/Report.ts"
import { CommandFailure } from "./CommandFailure.ts"
import { ConfigFlag, loadConfig } from "./ConfigFlag.ts"
import { findServer, ServerArgument, SubjectFlag } from "./ServerArgument.ts"

/** `doctor`: walks the way to a token and says what stands in it. */
export const DoctorCommand = Command.make(
  "doctor",
  {
    server: ServerArgument,
    config: ConfigFlag,
    subject: SubjectFlag,
    json: Flag.Boolean("json").pipe(Flag.withDescription("Print JSON"), Flag.withDefault(false))
  },
  Effect.fnUntraced(function* (flags) {
    const config = yield* loadConfig(flags.config)
    const entry = yield* findServer(config, flags.server)
    const report = yield* diagnose(config, entry, Option.getOrUndefined(flags.subject))
    yield* Console.log(flags.json ? JSON.stringify(reportJson(report), null, 2) : reportLines(report))
    if (!isPossible(report)) return yield* new CommandFailure({ exitCode: 1 })
  })
).pipe(Command.withDescription("Say what stands in the way of a login, without logging in"))
