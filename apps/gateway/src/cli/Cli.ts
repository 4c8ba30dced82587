import { ClientCertificates } from "@secure-mcp/mtls"
import * as Command from "effect/cli/Command"
import { CheckCommand } from "./CheckCommand.ts"
import { DoctorCommand } from "./DoctorCommand.ts"
import { ImportCommand } from "./ImportCommand.ts"
import { LogFormat, loggingLayer } from "./process/StandardError.ts"
import { LoginCommand } from "./LoginCommand.ts"
import { LogoutCommand } from "./LogoutCommand.ts"
import { ServeCommand } from "./ServeCommand.ts"
import { StatusCommand } from "./StatusCommand.ts"
import { StdioCommand } from "./StdioCommand.ts"
import { TokenCommand } from "./TokenCommand.ts"
import { TokensCommand } from "./TokensCommand.ts"

/** The `secure-mcp-gateway` command. */
export const cli = Command.make("secure-mcp-gateway").pipe(
  Command.withDescription("Stands between MCP clients and MCP servers and takes care of their OAuth tokens"),
  Command.withSubcommands([
    ServeCommand,
    StdioCommand,
    LoginCommand,
    LogoutCommand,
    StatusCommand,
    TokenCommand,
    TokensCommand,
    CheckCommand,
    DoctorCommand,
    ImportCommand
  ]),
  Command.provide(ClientCertificates.layer),
  Command.provide(loggingLayer),
  Command.withGlobalFlags([LogFormat])
)
