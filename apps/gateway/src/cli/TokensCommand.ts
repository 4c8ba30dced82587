import type { StoreUnavailable, TokenCacheEntry } from "@secure-mcp/oauth-core"
import { isTokenKey, TokenStore } from "@secure-mcp/token-cache"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { type GatewayConfig, gatewayStore } from "@secure-mcp/gateway-server"
import { failCommand } from "./CommandFailure.ts"
import { ConfigFlag, loadConfig } from "./ConfigFlag.ts"
import { ServerArgument, SubjectFlag } from "./ServerArgument.ts"

/** `tokens list`: what is in the store, also for servers that are not configured any more. Holds no secret. */
const ListCommand = Command.make(
  "list",
  {
    config: ConfigFlag,
    json: Flag.Boolean("json").pipe(Flag.withDescription("Print JSON"), Flag.withDefault(false))
  },
  Effect.fnUntraced(function* (flags) {
    const config = yield* loadConfig(flags.config)
    const entries = yield* withStore(config, keptFor(config))
    const listed = entries.map(describe)
    if (entries.length === 0) yield* Console.error(nothingKept(config))
    if (flags.json) yield* Console.log(JSON.stringify(listed, null, 2))
    else if (listed.length > 0) yield* Console.log(listed.map(formatLines).join("\n\n"))
  })
).pipe(Command.withDescription("List the tokens that are kept, without showing them"))

/** `tokens forget`: removes tokens from the store; they stay valid at the authorization server. */
const ForgetCommand = Command.make(
  "forget",
  { server: ServerArgument, config: ConfigFlag, subject: SubjectFlag },
  Effect.fnUntraced(function* (flags) {
    const config = yield* loadConfig(flags.config)
    const subject = Option.getOrUndefined(flags.subject)
    const forgotten = yield* withStore(
      config,
      Effect.gen(function* () {
        const store = yield* TokenStore
        const entries = (yield* keptFor(config)).filter(
          ({ key }) => key.serverName === flags.server && (subject === undefined || key.subject === subject)
        )
        const removed = yield* Effect.forEach(entries, ({ key }) => store.remove(key))
        return removed.filter((token) => token !== undefined).length
      })
    )
    if (forgotten === 0 && !config.servers.some(({ serverName }) => serverName === flags.server))
      return yield* failCommand(
        `No token is kept for "${flags.server}", and no server of that name is configured. \`tokens list\` shows what there is`
      )
    yield* Console.log(`Forgot ${forgotten} token${forgotten === 1 ? "" : "s"} of ${flags.server}`)
  })
).pipe(Command.withDescription("Forget the tokens of a server, all of them or those of one person"))

/** `tokens`: looks after the store. */
export const TokensCommand = Command.make("tokens").pipe(
  Command.withDescription("Look after the tokens that are kept"),
  Command.withSubcommands([ListCommand, ForgetCommand])
)

const withStore = <A>(config: GatewayConfig, use: Effect.Effect<A, StoreUnavailable, TokenStore>) =>
  use.pipe(
    Effect.provide(gatewayStore(config)),
    Effect.catchTag(["Misconfigured", "StoreUnavailable"], (error) => failCommand(error.message))
  )

/** The tokens of this configuration, whichever of its servers they are for. */
const keptFor = ({ configId, projectId }: GatewayConfig) =>
  Effect.map(
    Effect.flatMap(TokenStore, (store) => store.list),
    (entries) =>
      entries
        .filter(({ key }) => isTokenKey(key) && key.projectId === projectId && key.configId === configId)
        .toSorted((a, b) => order(a).localeCompare(order(b)))
  )

const order = ({ key }: TokenCacheEntry): string => `${key.serverName}\0${key.subject ?? ""}`

const nothingKept = ({ store }: GatewayConfig): string =>
  store.type === "memory" ? "Tokens are kept in the memory of a running gateway only" : "No token is kept"

const describe = ({ key, token }: TokenCacheEntry) => ({
  server_name: key.serverName,
  subject: key.subject ?? null,
  scope: token.scope?.join(" ") ?? null,
  issued_at: formatInstant(token.issuedAt),
  expires_at: token.expiresAt === undefined ? null : formatInstant(token.expiresAt),
  renewable: token.refreshToken !== undefined
})

const formatInstant = (millis: number): string => DateTime.formatIso(DateTime.makeUnsafe(millis))

const formatLines = ({ server_name, ...description }: ReturnType<typeof describe>): string =>
  [
    server_name,
    ...Object.entries(description).map(([name, value]) => `  ${name.padEnd(14)}${String(value ?? "-")}`)
  ].join("\n")
