import { formatPath, oauthConfigWarnings } from "@secure-mcp/oauth-core"
import type { ServerEntry } from "@secure-mcp/transport-injection"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { explainServer } from "@secure-mcp/gateway-server/internal"
import { ConfigFlag, loadConfig } from "./ConfigFlag.ts"

const warningsOf = (servers: ReadonlyArray<ServerEntry>): ReadonlyArray<string> =>
  servers.flatMap(({ oauth }, index) =>
    (oauth === undefined ? [] : oauthConfigWarnings(oauth)).map(
      ({ message, path }) => `${formatPath(["servers", index, "oauth", ...path])}: ${message}`
    )
  )

/** `check`: validates a configuration file. */
export const CheckCommand = Command.make(
  "check",
  {
    config: ConfigFlag,
    explain: Flag.Boolean("explain").pipe(
      Flag.withDescription("Show for each server what its provider sets, and its proxy"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function* ({ config, explain }) {
    const { servers } = yield* loadConfig(config)
    yield* Effect.forEach(warningsOf(servers), (warning) => Console.error(`warning: ${warning}`))
    yield* Console.log(`${config} is valid: ${servers.length} server${servers.length === 1 ? "" : "s"}`)
    if (explain) yield* Console.log(servers.map(explainServer).join("\n"))
  })
).pipe(Command.withDescription("Check a configuration file: exit code 0, or 1 with every problem"))
