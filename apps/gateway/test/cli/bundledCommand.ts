import { cp, mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { rolldown } from "rolldown"
import type { TestProject } from "vitest/node"
import options from "../../rolldown.config.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** A folder with what is published of the command: `bin`, `dist` and `package.json`, no `node_modules` above it. */
    readonly bundledCommand: string
  }
}

/** Bundles the command once for all tests: it is what users run, and starts many times faster than the sources. */
export default async function setup(project: TestProject) {
  const root = fileURLToPath(new URL("../../", import.meta.url))
  const folder = await mkdtemp(join(tmpdir(), "gateway-bundle-"))
  const { output, ...input } = [options].flat()[0] ?? {}
  const bundle = await rolldown({ ...input, cwd: root })
  await bundle.write({ ...[output].flat()[0], dir: join(folder, "dist") })
  await bundle.close()
  await cp(join(root, "bin"), join(folder, "bin"), { recursive: true })
  await cp(join(root, "package.json"), join(folder, "package.json"))
  project.provide("bundledCommand", folder)
  return () => rm(folder, { recursive: true, force: true })
}
