import * as Effect from "effect/Effect"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { startServing } from "./ServingProcess.ts"

/** The command as it is published: a bundle, which the script `conformance` builds before. */
const bundle = fileURLToPath(
  new URL("dist/secure-mcp-gateway.cjs", import.meta.resolve("@secure-mcp/gateway/package.json"))
)

/** The gateway with a configuration and a state directory of its own, until the scope closes. Gives its base URL. */
export const startGateway = Effect.fnUntraced(function* (document: object) {
  const directory = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "conformance-gateway-"))),
    (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
  )
  const config = join(directory, "gateway.json")
  yield* Effect.promise(() => writeFile(config, JSON.stringify(document)))
  return yield* startServing(bundle, ["serve", "--config", config, "--port", "0"], {
    PATH: process.env["PATH"],
    XDG_STATE_HOME: directory,
    NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"]
  })
})
