import { isPersonalGrant } from "@secure-mcp/oauth-core"
import type { ServerEntry } from "@secure-mcp/transport-injection"
import * as Effect from "effect/Effect"
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import { accessTokenRequest, type GatewayConfig } from "@secure-mcp/gateway-server"
import { type CommandFailure, failCommand } from "./CommandFailure.ts"
import { loadConfig } from "./ConfigFlag.ts"

/** `SERVER`, the name of an entry. */
export const ServerArgument = Argument.String("SERVER").pipe(
  Argument.withDescription("The server_name of an entry of the configuration")
)

/** `--subject NAME` */
export const SubjectFlag = Flag.String("subject").pipe(
  Flag.withDescription("The person the grant is for: the `subject` of an entry of gateway.api_keys"),
  Flag.optional
)

/** The entry of that name. Ends the command if there is none. */
export const findServer = (
  config: GatewayConfig,
  name: string
): Effect.Effect<ServerEntry, CommandFailure> => {
  const entry = config.servers.find(({ serverName }) => serverName === name)
  const names = config.servers.map(({ serverName }) => serverName).join(", ")
  return entry === undefined
    ? failCommand(`No server "${name}" is configured. There are: ${names}`)
    : Effect.succeed(entry)
}

/** The configuration, and the request for one person's token. Ends the command for a server nobody logs in to. */
export const loadPersonalGrant = Effect.fnUntraced(function* (flags: {
  readonly config: string
  readonly server: string
  readonly subject: Option.Option<string>
}) {
  const config = yield* loadConfig(flags.config)
  const entry = yield* findServer(config, flags.server)
  const request = accessTokenRequest(entry, config, Option.getOrUndefined(flags.subject))
  if (request === undefined || !isPersonalGrant(request.config.grantType)) {
    return yield* failCommand(
      `Nobody logs in to "${flags.server}": its \`grant_type\` is not authorization_code or device_code`
    )
  }
  return { config, request }
})
