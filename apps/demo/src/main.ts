import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import type { OAuthService } from "@secure-mcp/oauth-core"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import type { HttpClient } from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import { type Cast, type Servers, startGateway, startServers, type Store } from "./Cast.ts"
import { startCompany } from "./Company.ts"
import { tellCompanyStory } from "./CompanyStory.ts"
import { currentToken, tellRestart, tellStory } from "./Story.ts"

const demo = Command.make(
  "demo",
  {
    keep: Flag.Boolean("keep").pipe(
      Flag.withDescription("Leave everything running and print what to paste into an MCP client"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function* ({ keep }) {
    const servers = yield* startServers
    const directory = yield* FileSystem.use((files) => files.makeTempDirectoryScoped({ prefix: "demo-" }))
    yield* Console.log("\nSecure MCP Gateway: the life of a token")

    yield* tellLife(servers, { type: "memory" })
    yield* tellLife(servers, { type: "sqlite", url: `${directory}/tokens.db` })

    yield* Console.log("\nEvery step was as it should be.")
    if (keep) return yield* keepRunning((yield* startGateway(servers, { type: "memory" })).gatewayUrl)
  }, Effect.scoped)
)

const company = Command.make(
  "company",
  {},
  Effect.fnUntraced(function* () {
    yield* Console.log("\nSecure MCP Gateway: two people of a company\n")
    yield* Effect.timeout(Effect.flatMap(startCompany, tellCompanyStory), "25 seconds").pipe(
      // What the story is refused on purpose is no news.
      Effect.provideService(References.MinimumLogLevel, "Error")
    )
    yield* Console.log("\nEvery step was as it should be.")
  }, Effect.scoped)
).pipe(Command.withDescription("Two people log in with the company's account, and act in their own names"))

/** The life of a token in a gateway with a store, and what is left of it in the next gateway. */
const tellLife = Effect.fnUntraced(function* (servers: Servers, store: Store) {
  yield* Console.log(`\nThe gateway's store: ${JSON.stringify(store)}\n`)
  const last = yield* during(servers, store, (cast) => Effect.andThen(tellStory(cast), currentToken(cast)))
  yield* during(servers, store, (cast) => tellRestart(cast, store, last))
})

/** What happens while a gateway runs, which is stopped then. */
const during = <A, E>(
  servers: Servers,
  store: Store,
  tell: (cast: Cast) => Effect.Effect<A, E, OAuthService | HttpClient>
) =>
  Effect.flatMap(startGateway(servers, store), (cast) =>
    tell(cast).pipe(Effect.timeout("25 seconds"), Effect.provide(cast.services))
  ).pipe(Effect.scoped)

const keepRunning = (gatewayUrl: string) =>
  Console.log(
    `\nThe gateway keeps running until Ctrl-C. Paste into an MCP client:\n\n${clientConfiguration(gatewayUrl)}`
  ).pipe(Effect.andThen(Effect.never))

const clientConfiguration = (gatewayUrl: string): string =>
  JSON.stringify(
    {
      mcpServers: Object.fromEntries(
        ["echo", "echo-stdio"].map((name) => [
          name,
          { type: "http", url: `${gatewayUrl}/servers/${name}/mcp` }
        ])
      )
    },
    null,
    2
  )

/** The steps are printed on standard output; only failures are logged. */
const quietLogs = Layer.mergeAll(
  Logger.layer([Logger.consolePretty()]),
  Layer.succeed(Logger.LogToStderr, true),
  Layer.succeed(References.MinimumLogLevel, "Warn")
)

demo.pipe(
  Command.withSubcommands([company]),
  Command.run({ version: "0.1.0" }),
  Effect.provide(Layer.mergeAll(NodeServices.layer, FetchHttpClient.layer, quietLogs)),
  NodeRuntime.runMain
)
