import * as Effect from "effect/Effect"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { writeConfig } from "../gateway/Gateway.ts"
import { profileOptions } from "../process/NodeProgram.ts"
import { startProcess } from "../process/StartedProcess.ts"
import type { Relay } from "./Relay.ts"

/** The command `stdio`. */
export const gatewayRelay: Relay = {
  name: "gateway",
  start: Effect.fnUntraced(function* (run, serverUrl) {
    const { config, env } = yield* writeConfig({
      servers: [{ server_name: "remote", config: { url: serverUrl } }]
    })
    return yield* startProcess(
      process.execPath,
      [
        "--conditions=@secure-mcp/source",
        ...profileOptions(run.profileDirectory),
        run.bundle,
        "stdio",
        "remote",
        "--config",
        config
      ],
      { env, isStdio: true }
    )
  })
}

/** A development dependency, whose command `npm run` finds. It keeps its state in a folder that goes with it. */
export const mcpRemote: Relay = {
  name: "mcp-remote",
  start: Effect.fnUntraced(function* (_run, serverUrl) {
    const directory = yield* Effect.acquireRelease(
      Effect.promise(() => mkdtemp(join(tmpdir(), "benchmarks-mcp-remote-"))),
      (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
    )
    return yield* startProcess("mcp-remote", [serverUrl, "--transport", "http-only", "--silent"], {
      env: { MCP_REMOTE_CONFIG_DIR: directory },
      isStdio: true
    })
  })
}
