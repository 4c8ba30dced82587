import type { ConfigError } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import { loadConfigFile } from "../config/ConfigFile.ts"
import { failCommand } from "./CommandFailure.ts"

/** The configuration file, or the end of the command with every problem of it. */
export const loadedConfig = (path: string) =>
  loadConfigFile(path).pipe(
    Effect.catchTag("ConfigError", (error: ConfigError) => failCommand(`${path}: ${error.message}`))
  )
