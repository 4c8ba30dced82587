import type { ConfigError } from "@secure-mcp/oauth-core"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Path from "effect/Path"
import * as Flag from "effect/cli/Flag"
import { loadConfigFile } from "@secure-mcp/gateway-server"
import { failCommand } from "./CommandFailure.ts"

/** `--config FILE` */
export const ConfigFlag = Flag.String("config").pipe(
  Flag.withAlias("c"),
  Flag.withMetavar("FILE"),
  Flag.withDescription("The configuration file (JSON)")
)

/**
 * A path as the caller means it: relative to the folder they are in. `npm run` changes to the folder of the package
 * before it starts us, and says in `INIT_CWD` where it was called.
 */
export const callersPath = Effect.fnUntraced(function* (path: string) {
  const paths = yield* Path.Path
  const folder = yield* npmCallersFolder
  return folder === undefined ? path : paths.resolve(folder, path)
})

const npmCallersFolder = Effect.gen(function* () {
  const script = yield* Config.String("npm_package_name")
  return ourPackages.has(script) ? yield* Config.String("INIT_CWD") : undefined
}).pipe(Effect.orElseSucceed(() => undefined))

/** Scripts of other packages may well have changed folder themselves. */
const ourPackages: ReadonlySet<string> = new Set(["secure-mcp-gateway", "@secure-mcp/gateway"])

/** The configuration in the file that the flag names. Ends the command with every problem of an invalid one. */
export const loadConfig = (path: string) =>
  Effect.flatMap(callersPath(path), loadConfigFile).pipe(
    Effect.catchTag("ConfigError", (error: ConfigError) => failCommand(`${path}: ${error.message}`))
  )
