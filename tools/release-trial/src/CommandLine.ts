import { spawnSync } from "node:child_process"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { run } from "./Command.ts"
import type { Registry } from "./Registry.ts"

/** `npx @secure-mcp/gateway check` in an empty folder: what it says of a file that is not there. */
export const checkInEmptyFolder = async (directory: string, registry: Registry): Promise<void> => {
  mkdirSync(directory)
  const said = await run("npx", ["--yes", "@secure-mcp/gateway", "check", "--config", "gateway.json"], {
    cwd: directory,
    env: registry.env
  }).then(
    () => "",
    (error: Error) => error.message
  )
  if (!said.includes("gateway.json cannot be read"))
    throw new Error(`It does not name the missing file: ${said}`)
}

/** The same with the first file of the README, which is valid. */
export const checkFileOfReadme = async (
  root: string,
  directory: string,
  registry: Registry
): Promise<void> => {
  const [, json] = /^```json\n([\s\S]*?)^```/m.exec(readFileSync(join(root, "README.md"), "utf8")) ?? []
  if (json === undefined) throw new Error("The README has no configuration")
  writeFileSync(join(directory, "gateway.json"), json)
  await run("npx", ["--yes", "@secure-mcp/gateway", "check", "--config", "gateway.json"], {
    cwd: directory,
    env: { ...registry.env, CLIENT_SECRET: "a-secret" }
  })
}

/** A Node that is too old is told so in one sentence. */
export const startOnOldNode = (node: string, version: string, gateway: string): void => {
  const { status, stderr, stdout } = spawnSync(node, [gateway, "serve"], {
    encoding: "utf8",
    timeout: 20_000
  })
  const isSentence = /^[^\n]* needs Node\.js [^\n]*\n$/.test(stderr) && stderr.includes(version)
  if (status !== 1 || stdout !== "" || !isSentence)
    throw new Error(`Exit code ${status}, and not one sentence: ${stdout}${stderr}`)
}
