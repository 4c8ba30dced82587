import { OAuthService } from "@secure-mcp/oauth-core"
import * as Command from "effect/cli/Command"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { gatewayServices } from "../GatewayServices.ts"
import { failCommand } from "./CommandFailure.ts"
import { ConfigFlag } from "./ConfigFlag.ts"
import { loadPersonalGrant, ServerArgument, SubjectFlag } from "./ServerArgument.ts"

/** `logout`: the grant is given back to the authorization server and forgotten here. */
export const LogoutCommand = Command.make(
  "logout",
  { server: ServerArgument, config: ConfigFlag, subject: SubjectFlag },
  Effect.fnUntraced(function* (flags) {
    const { config, request } = yield* loadPersonalGrant(flags)
    yield* Effect.flatMap(OAuthService, (oauth) => oauth.revoke(request)).pipe(
      Effect.provide(gatewayServices(config)),
      Effect.catchTag(["Misconfigured", "StoreUnavailable"], (error) => failCommand(error.message)),
      Effect.catchTag("OAuthError", (error) =>
        failCommand(
          `${error.message}\nThe grant is forgotten here; revoke it at the authorization server as well`
        )
      )
    )
    yield* Console.log(`Logged out of ${request.serverName}`)
  })
).pipe(Command.withDescription("Revoke and forget the grant for a server"))
