import * as Effect from "effect/Effect"
import { copyFile, mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { rolldown } from "rolldown"
import options from "../../../rolldown.config.ts"

/** The arguments of Node for a command that can be killed at a step. */
export type KillableCommand = ReadonlyArray<string>

/** Bundles the command as it is published, because a bundle starts several times faster than the sources. */
export const bundleCommand = Effect.acquireRelease(
  Effect.promise(async () => {
    const root = fileURLToPath(new URL("../../../", import.meta.url))
    const folder = await mkdtemp(join(tmpdir(), "gateway-bundle-"))
    const { input, output, plugins: _plugins, ...settings } = [options].flat()[0] ?? {}
    const preload = fileURLToPath(new URL("killAtStep.ts", import.meta.url))
    const bundle = await rolldown({
      ...settings,
      cwd: root,
      input: { ...(typeof input === "object" && !Array.isArray(input) ? input : {}), killAtStep: preload }
    })
    await bundle.write({ ...[output].flat()[0], dir: join(folder, "dist") })
    await bundle.close()
    await copyFile(join(root, "package.json"), join(folder, "package.json"))
    return folder
  }),
  (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }))
).pipe(
  Effect.map((folder): KillableCommand => [
    "--import",
    join(folder, "dist/killAtStep.cjs"),
    join(folder, "dist/secure-mcp-gateway.cjs")
  ])
)
