import * as Effect from "effect/Effect"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Run } from "../measurement/Measurement.ts"
import { profileOptions } from "../process/NodeProgram.ts"
import { awaitOutput, startProcess } from "../process/StartedProcess.ts"

/** An entry of `servers` with a token that the gateway gets as a client of its own. */
export const entryWithToken = (name: string, url: string, tokenUrl: string) => ({
  server_name: name,
  config: { url },
  oauth: {
    enabled: true,
    token_url: tokenUrl,
    client_id: "benchmark",
    client_secret: "the-secret-of-the-client",
    enforce_https: false
  }
})

/** Writes a configuration into a folder of its own; gives its path and the environment for a command that reads it. */
export const writeConfig = Effect.fnUntraced(function* (document: object) {
  const directory = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "benchmarks-"))),
    (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
  )
  const config = join(directory, "gateway.json")
  yield* Effect.promise(() => writeFile(config, JSON.stringify(document)))
  return { config, env: { XDG_STATE_HOME: directory } }
})

export interface GatewayOptions {
  /** Options of `serve`. */
  readonly args?: ReadonlyArray<string>
  readonly nodeOptions?: ReadonlyArray<string>
  /** Default: a free one. */
  readonly port?: number
}

/** The gateway serves a configuration until the scope closes. */
export const startGateway = Effect.fnUntraced(function* (
  run: Run,
  document: object,
  { args = [], nodeOptions = [], port = 0 }: GatewayOptions = {}
) {
  const { config, env } = yield* writeConfig(document)
  const started = yield* startProcess(
    process.execPath,
    [
      "--disable-sigusr1",
      "--conditions=@secure-mcp/source",
      ...profileOptions(run.profileDirectory),
      ...nodeOptions,
      run.bundle,
      "serve",
      "--config",
      config,
      "--port",
      String(port),
      ...args
    ],
    { env }
  )
  const url = yield* awaitOutput(started, "the gateway", /^(https?:\/\/\S+?)\/?$/m)
  return { ...started, url }
})
