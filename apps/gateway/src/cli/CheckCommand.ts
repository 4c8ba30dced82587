import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import { ConfigFlag, loadConfig } from "./ConfigFlag.ts"

/** `check`: validates a configuration file. */
export const CheckCommand = Command.make(
  "check",
  { config: ConfigFlag },
  Effect.fnUntraced(function* ({ config }) {
    const { servers } = yield* loadConfig(config)
    yield* Console.log(`${config} is valid: ${servers.length} server${servers.length === 1 ? "" : "s"}`)
  })
).pipe(Command.withDescription("Check a configuration file: exit code 0, or 1 with every problem"))
