import { type AccessTokenRequest, type CachedToken, OAuthService } from "@secure-mcp/oauth-core"
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { accessTokenRequest, gatewayServices } from "@secure-mcp/gateway-server"
import { failCommand, failCommandWith } from "./CommandFailure.ts"
import { ConfigFlag, loadConfig } from "./ConfigFlag.ts"
import { findServer, ServerArgument, SubjectFlag } from "./ServerArgument.ts"

/** `token`: gets a token and describes it. */
export const TokenCommand = Command.make(
  "token",
  {
    server: ServerArgument,
    config: ConfigFlag,
    subject: SubjectFlag,
    forceRefresh: Flag.Boolean("force-refresh").pipe(
      Flag.withDescription("Get a new token even if one is kept"),
      Flag.withDefault(false)
    ),
    show: Flag.Boolean("show").pipe(Flag.withDescription("Print the token itself"), Flag.withDefault(false)),
    json: Flag.Boolean("json").pipe(Flag.withDescription("Print JSON"), Flag.withDefault(false))
  },
  Effect.fnUntraced(function* (flags) {
    const config = yield* loadConfig(flags.config)
    const entry = yield* findServer(config, flags.server)
    const request = accessTokenRequest(entry, config, Option.getOrUndefined(flags.subject))
    if (request === undefined) {
      return yield* failCommand(
        `The server "${flags.server}" has no \`oauth\` that is enabled, so it gets no token`
      )
    }
    const cached = yield* getToken(request, flags.forceRefresh).pipe(
      Effect.provide(gatewayServices(config)),
      Effect.catchTag(["OAuthError", "Misconfigured", "StoreUnavailable"], failCommandWith(request))
    )
    const description = describe(flags.server, cached, yield* Clock.currentTimeMillis, flags.show)
    yield* Console.log(flags.json ? JSON.stringify(description) : formatLines(description))
  })
).pipe(Command.withDescription("Get the token for a server and describe it"))

const getToken = (request: AccessTokenRequest, forceRefresh: boolean) =>
  Effect.flatMap(OAuthService, (oauth) =>
    forceRefresh ? oauth.refresh(request) : oauth.getAccessToken(request)
  )

const describe = (serverName: string, { source, token }: CachedToken, now: number, show: boolean) => ({
  server_name: serverName,
  token_type: token.tokenType,
  scope: token.scope?.join(" ") ?? null,
  expires_at: token.expiresAt === undefined ? null : DateTime.formatIso(DateTime.makeUnsafe(token.expiresAt)),
  expires_in: token.expiresAt === undefined ? null : Math.round((token.expiresAt - now) / 1000),
  source,
  ...(show ? { access_token: Redacted.value(token.accessToken) } : {})
})

const formatLines = (description: Readonly<Record<string, string | number | null>>): string =>
  Object.entries(description)
    .map(([name, value]) => `${name.padEnd(14)}${value ?? "-"}`)
    .join("\n")
