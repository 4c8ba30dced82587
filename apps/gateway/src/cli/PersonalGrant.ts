import { isPersonalGrant } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { accessTokenRequest } from "../http/Servers.ts"
import { failCommand } from "./CommandFailure.ts"
import { loadedConfig } from "./LoadedConfig.ts"
import { findServer } from "./ServerArgument.ts"

/** The configuration and the grant of one server that a person gives, or the end of the command. */
export const loadPersonalGrant = Effect.fnUntraced(function* (flags: {
  readonly config: string
  readonly server: string
  readonly subject: Option.Option<string>
}) {
  const config = yield* loadedConfig(flags.config)
  const entry = yield* findServer(config, flags.server)
  const request = accessTokenRequest(entry, config, Option.getOrUndefined(flags.subject))
  if (request === undefined || !isPersonalGrant(request.config.grantType)) {
    return yield* failCommand(
      `Nobody logs in to "${flags.server}": its \`grant_type\` is not authorization_code or device_code`
    )
  }
  return { config, request }
})
