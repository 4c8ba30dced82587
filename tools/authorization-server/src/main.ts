import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { AuthorizationServer, clientCredentialsClient } from "./AuthorizationServer.ts"

const flags = {
  port: Flag.Int("port").pipe(Flag.withDescription("Port on 127.0.0.1; 0 picks one"), Flag.withDefault(4000)),
  clientId: Flag.String("client-id").pipe(Flag.withDefault("demo-client")),
  clientSecret: Flag.String("client-secret").pipe(Flag.withDefault("demo-secret")),
  resource: Flag.String("resource").pipe(
    Flag.withDescription("Resource indicator of an MCP server; repeat it for several"),
    Flag.atLeast(1),
    Flag.withDefault(["https://api.example.com"])
  ),
  lifetime: Flag.Int("lifetime").pipe(
    Flag.withDescription("Seconds an access token lives"),
    Flag.withDefault(3600)
  )
}

const serve = Effect.fnUntraced(function* (input: Command.Command.Config.Infer<typeof flags>) {
  const server = yield* AuthorizationServer.make({
    port: input.port,
    accessTokenLifetime: input.lifetime,
    clients: [clientCredentialsClient(input.clientId, input.clientSecret)],
    resources: input.resource.map((identifier) => ({
      identifier,
      scopes: ["mcp:read", "mcp:write"],
      accessTokenFormat: "jwt"
    }))
  })
  yield* Console.log(server.issuer)
  return yield* Effect.never
}, Effect.scoped)

Command.make("authorization-server", flags, serve).pipe(
  Command.withDescription("An OpenID provider for demos and tests, with one client"),
  Command.run({ version: "0.1.0" }),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain
)
