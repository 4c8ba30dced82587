import { once } from "node:events"
import { cp, mkdtemp, rm } from "node:fs/promises"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { rolldown } from "rolldown"
import type { TestProject } from "vitest/node"
import options from "../../rolldown.config.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** Answers with the folder of the bundled command. */
    readonly commandBundler: string
  }
}

/**
 * Part of Vitest's own process: bundles the command for the first test file that asks for it, and gives the others the same.
 * The bundle is what users run, and starts many times faster than the sources.
 */
export default async function setup(project: TestProject) {
  const folders: Array<Promise<string>> = []
  const server = createServer((_, response) => {
    if (folders.length === 0) folders.push(bundle())
    folders[0]?.then(
      (folder) => response.end(folder),
      (error) => response.writeHead(500).end(String(error))
    )
  })
  await once(server.listen(0, "127.0.0.1"), "listening")
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("no port")
  project.provide("commandBundler", `http://127.0.0.1:${address.port}`)

  const removeAll = async () => {
    for (const made of await Promise.allSettled(folders.splice(0)))
      if (made.status === "fulfilled") await rm(made.value, { recursive: true, force: true })
  }
  project.onTestsRerun(removeAll)
  return async () => {
    server.close()
    server.closeAllConnections()
    await removeAll()
  }
}

const bundle = async () => {
  const root = fileURLToPath(new URL("../../", import.meta.url))
  const folder = await mkdtemp(join(tmpdir(), "gateway-bundle-"))
  const { output, ...input } = [options].flat()[0] ?? {}
  const made = await rolldown({ ...input, cwd: root })
  await made.write({ ...[output].flat()[0], dir: join(folder, "dist") })
  await made.close()
  await cp(join(root, "bin"), join(folder, "bin"), { recursive: true })
  await cp(join(root, "package.json"), join(folder, "package.json"))
  return folder
}
