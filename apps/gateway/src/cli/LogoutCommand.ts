import { type OAuthError, OAuthService } from "@secure-mcp/oauth-core"
import * as Command from "effect/cli/Command"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { gatewayServices } from "@secure-mcp/gateway-server"
import { failCommand } from "./CommandFailure.ts"
import { ConfigFlag } from "./ConfigFlag.ts"
import { loadPersonalGrant, ServerArgument, SubjectFlag } from "./ServerArgument.ts"

/** `logout`: the grant is revoked at the authorization server and removed here. */
export const LogoutCommand = Command.make(
  "logout",
  { server: ServerArgument, config: ConfigFlag, subject: SubjectFlag },
  Effect.fnUntraced(function* (flags) {
    const { config, request } = yield* loadPersonalGrant(flags)
    const outcome = yield* Effect.flatMap(OAuthService, (oauth) => oauth.revoke(request)).pipe(
      Effect.provide(gatewayServices(config)),
      Effect.catchTag(["Misconfigured", "StoreUnavailable"], (error) => failCommand(error.message)),
      Effect.catchTag("OAuthError", (error) => failCommand(`${error.message}\n${whatToDo(error)}`))
    )
    yield* Console.log(`Logged out of ${request.serverName}`)
    if (outcome === "NoRevocationEndpoint") yield* Console.log(noRevocationEndpoint)
  })
).pipe(Command.withDescription("Revoke and remove the grant for a server"))

const noRevocationEndpoint =
  "The authorization server has no revocation endpoint. The access token is removed here, but stays valid there until it expires"

/** A store that cannot be used has not removed the grant. Every other failure comes after the removal. */
const whatToDo = ({ reason }: OAuthError): string =>
  reason._tag === "StoreUnavailable" || reason._tag === "CertificateUnusable"
    ? "The grant is not removed. Run the command again"
    : "The grant is removed here; revoke it at the authorization server as well"
