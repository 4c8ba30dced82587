#!/usr/bin/env node
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { EchoServer } from "./EchoServer.ts"
import { runStdio } from "./StdioServer.ts"

const stdio = Command.make("stdio", {}, () => runStdio).pipe(
  Command.withDescription("Serve MCP on standard input and output; the token comes from ENKRYPT_ACCESS_TOKEN")
)

const http = Command.make(
  "http",
  {
    port: Flag.Int("port").pipe(Flag.withDescription("Port to listen on; 0 picks one"), Flag.withDefault(0)),
    host: Flag.String("host").pipe(Flag.withDescription("Host to listen on"), Flag.withDefault("127.0.0.1")),
    requireToken: Flag.Boolean("require-token").pipe(
      Flag.withDescription("Refuse requests without an access token; any token is accepted"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function* ({ requireToken, ...options }) {
    const server = yield* EchoServer.make({
      ...options,
      ...(requireToken ? { authorize: (authorization) => Effect.succeed(authorization !== undefined) } : {})
    })
    yield* Console.log(server.url)
    return yield* Effect.never
  }, Effect.scoped)
).pipe(Command.withDescription("Serve MCP on Streamable HTTP; prints its URL as one line"))

Command.make("echo-mcp-server").pipe(
  Command.withDescription("An MCP server that echoes the access token it was given"),
  Command.withSubcommands([stdio, http]),
  Command.run({ version: "0.1.0" }),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain
)
