import { once } from "node:events"
import { rm } from "node:fs/promises"
import { createServer } from "node:http"
import type { TestProject } from "vitest/node"
import { makeCommandBundle } from "./commandBundle.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** Answers with the folder of the bundled command. */
    readonly commandBundler: string
  }
}

/**
 * Part of Vitest's own process: bundles the command, which is what users run, for the first test file that asks for it, and gives the others
 * the same.
 */
export default async function setup(project: TestProject) {
  let made: Promise<string> | undefined
  const server = createServer((_, response) => {
    made ??= makeCommandBundle()
    made.then(
      (folder) => response.end(folder),
      (error) => response.writeHead(500).end(String(error))
    )
  })
  await once(server.listen(0, "127.0.0.1"), "listening")
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("no port")
  project.provide("commandBundler", `http://127.0.0.1:${address.port}`)

  const remove = async () => {
    const folder = made?.catch(() => undefined)
    made = undefined
    const path = await folder
    if (path !== undefined) await rm(path, { recursive: true, force: true })
  }
  project.onTestsRerun(remove)
  return async () => {
    server.close()
    server.closeAllConnections()
    await remove()
  }
}
