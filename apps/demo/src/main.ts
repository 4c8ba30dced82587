import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import { startCast } from "./Cast.ts"
import { tellStory } from "./Story.ts"

const demo = Command.make(
  "demo",
  {
    keep: Flag.Boolean("keep").pipe(
      Flag.withDescription("Leave everything running and print what to paste into an MCP client"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function* ({ keep }) {
    const cast = yield* startCast
    yield* Console.log(`\nSecure MCP Gateway: the life of a token\n`)
    yield* tellStory(cast).pipe(Effect.timeout("25 seconds"), Effect.provide(cast.services))
    yield* Console.log("\nEvery step was as it should be.")
    if (keep) return yield* keepRunning(cast.gatewayUrl)
  }, Effect.scoped)
)

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

Command.run(demo, { version: "0.1.0" }).pipe(
  Effect.provide(Layer.mergeAll(NodeServices.layer, FetchHttpClient.layer, quietLogs)),
  NodeRuntime.runMain
)
