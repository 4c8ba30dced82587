import type { TokenCacheEntry } from "@secure-mcp/oauth-core"
import { renewalTime, TokenStore } from "@secure-mcp/token-cache"
import type { ServerEntry } from "@secure-mcp/transport-injection"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { type GatewayConfig, gatewayServices, type LastError, LastErrors } from "@secure-mcp/gateway-server"
import { failCommand } from "./CommandFailure.ts"
import { ConfigFlag, loadConfig } from "./ConfigFlag.ts"

/** `status`: describes the stored tokens of each server. Prints no secret. */
export const StatusCommand = Command.make(
  "status",
  {
    config: ConfigFlag,
    json: Flag.Boolean("json").pipe(Flag.withDescription("Print JSON"), Flag.withDefault(false))
  },
  Effect.fnUntraced(function* (flags) {
    const config = yield* loadConfig(flags.config)
    const statuses = yield* readStatuses(config).pipe(
      Effect.provide(gatewayServices(config)),
      Effect.catchTag(["Misconfigured", "StoreUnavailable"], (error) => failCommand(error.message))
    )
    yield* Console.log(
      flags.json ? JSON.stringify(statuses, null, 2) : statuses.map(formatStatus).join("\n\n")
    )
  })
).pipe(Command.withDescription("Show the grant, scopes and expiry of each server's tokens"))

/** One server, with one stored token of it if there is any. */
interface Status {
  readonly server_name: string
  readonly grant: string | null
  readonly subject: string | null
  readonly scopes: ReadonlyArray<string> | null
  readonly expires_at: string | null
  readonly next_refresh: string | null
  readonly last_error: LastError | null
}

const readStatuses = Effect.fnUntraced(function* (config: GatewayConfig) {
  const store = yield* TokenStore
  const lastErrors = yield* LastErrors
  const entries = yield* store.list
  const statuses = yield* Effect.forEach(config.servers, (entry) =>
    Effect.map(lastErrors.get(entry.serverName), (lastError) => {
      const tokens = entries.filter(({ key }) => isOf(key, entry, config))
      const described = tokens.map((token) => describe(entry, token, lastError))
      return described.length === 0 ? [describe(entry, undefined, lastError)] : described
    })
  )
  return statuses.flat()
})

const isOf = (key: TokenCacheEntry["key"], { serverName }: ServerEntry, config: GatewayConfig): boolean =>
  key.serverName === serverName && key.projectId === config.projectId && key.configId === config.configId

const describe = (
  { oauth, serverName }: ServerEntry,
  kept: TokenCacheEntry | undefined,
  lastError: LastError | undefined
): Status => {
  const expiresAt = kept?.token.expiresAt
  return {
    server_name: serverName,
    grant: oauth?.grantType ?? null,
    subject: kept?.key.subject ?? null,
    scopes: kept?.token.scope ?? null,
    expires_at: formatInstant(expiresAt),
    next_refresh: formatInstant(
      kept === undefined || oauth === undefined
        ? undefined
        : renewalTime(kept.token, Duration.seconds(oauth.tokenExpiryBuffer))
    ),
    last_error: lastError ?? null
  }
}

const formatInstant = (millis: number | undefined): string | null =>
  millis === undefined ? null : DateTime.formatIso(DateTime.makeUnsafe(millis))

const formatStatus = ({ last_error, scopes, server_name, ...status }: Status): string => {
  const lines = {
    ...status,
    scopes: scopes?.join(" ") ?? null,
    last_error: last_error === null ? null : `${last_error.reason} at ${last_error.at}`
  }
  return [
    server_name,
    ...Object.entries(lines).map(([name, value]) => `  ${name.padEnd(14)}${value ?? "-"}`)
  ].join("\n")
}
