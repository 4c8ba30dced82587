import { withoutCorrelationId } from "@secure-mcp/oauth-core"
import type { Limits, StdioServerEntry } from "@secure-mcp/transport-injection"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { ChildProcesses } from "../child/ChildProcesses.ts"
import { startChildServer } from "../child/ChildServer.ts"
import * as HttpBridge from "../bridge/HttpBridge.ts"
import { makeChildCommand } from "./ChildToken.ts"
import { makeBridgedUpstream } from "./BridgedUpstream.ts"
import type { Upstream } from "./Upstream.ts"

/** Makes the upstream of an entry with a `command`: a child process, offered over Streamable HTTP. */
export const makeStdioUpstream = Effect.fnUntraced(function* (
  entry: StdioServerEntry,
  tokenRequest: Upstream["tokenRequest"],
  limits: Limits
) {
  const childCommand = yield* makeChildCommand(entry, (owner: string | undefined) =>
    tokenRequest({ subject: owner })
  )
  const processes = yield* ChildProcesses
  const { serverName } = entry
  const bridge = yield* HttpBridge.make({
    serverName,
    limits,
    startTimeout: Duration.seconds(entry.startTimeoutSeconds),
    connect: (owner) => (onMessage) =>
      childCommand(owner).pipe(
        Effect.flatMap((command) => startChildServer(serverName, command, onMessage, limits)),
        Effect.provideService(ChildProcesses, processes),
        withoutCorrelationId
      )
  })
  return makeBridgedUpstream(serverName, "a stdio server", bridge, tokenRequest)
})
