import type { ConfigError } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Flag from "effect/cli/Flag"
import { loadConfigFile } from "../config/ConfigFile.ts"
import { failCommand } from "./CommandFailure.ts"

/** `--config FILE` */
export const ConfigFlag = Flag.String("config").pipe(
  Flag.withAlias("c"),
  Flag.withMetavar("FILE"),
  Flag.withDescription("The configuration file (JSON)")
)

/** The configuration in the file that the flag names. Ends the command with every problem of an invalid one. */
export const loadConfig = (path: string) =>
  loadConfigFile(path).pipe(
    Effect.catchTag("ConfigError", (error: ConfigError) => failCommand(`${path}: ${error.message}`))
  )
