import * as Effect from "effect/Effect"
import { rm } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { makeCommandBundle } from "../../cli/commandBundle.ts"

/** The arguments of Node for a command that can be killed at a step. */
export type KillableCommand = ReadonlyArray<string>

const preload = fileURLToPath(new URL("killAtStep.ts", import.meta.url))

/** Bundles the command with what is loaded before it, and without the parts of the bundler that make it smaller. */
export const bundleCommand = Effect.acquireRelease(
  Effect.promise(() =>
    makeCommandBundle(({ input, plugins: _plugins, ...settings }) => ({
      ...settings,
      input: { ...(typeof input === "object" && !Array.isArray(input) ? input : {}), killAtStep: preload }
    }))
  ),
  (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }))
).pipe(
  Effect.map((folder): KillableCommand => [
    "--import",
    join(folder, "dist/killAtStep.cjs"),
    join(folder, "dist/secure-mcp-gateway.cjs")
  ])
)
