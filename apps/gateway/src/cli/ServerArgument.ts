import type { ServerEntry } from "@secure-mcp/transport-injection"
import * as Effect from "effect/Effect"
import * as Argument from "effect/cli/Argument"
import type { GatewayConfig } from "../config/GatewayConfig.ts"
import { failCommand } from "./CommandFailure.ts"

/** `SERVER`, the name of an entry. */
export const ServerArgument = Argument.String("SERVER").pipe(
  Argument.withDescription("The server_name of an entry of the configuration")
)

/** The entry of that name. */
export const findServer = (
  config: GatewayConfig,
  name: string
): Effect.Effect<ServerEntry, CommandFailureOf> => {
  const entry = config.servers.find(({ serverName }) => serverName === name)
  const names = config.servers.map(({ serverName }) => serverName).join(", ")
  return entry === undefined
    ? failCommand(`No server "${name}" is configured. There are: ${names}`)
    : Effect.succeed(entry)
}

type CommandFailureOf = Effect.Error<ReturnType<typeof failCommand>>
