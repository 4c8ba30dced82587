import { execFile } from "node:child_process"
import { cp, mkdir } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

/**
 * The gateway's bundle with source maps, which name the places of a profile. The published one has none. It stands beside
 * a package.json, in which it looks up its version.
 */
export const buildMappedBundle = async (): Promise<string> => {
  const gateway = fileURLToPath(new URL(".", import.meta.resolve("@secure-mcp/gateway/package.json")))
  const folder = fileURLToPath(new URL("../../dist/mapped", import.meta.url))
  await mkdir(folder, { recursive: true })
  await cp(join(gateway, "package.json"), join(folder, "package.json"))
  const output = join(folder, "bundle")
  await promisify(execFile)("rolldown", ["-c", "rolldown.config.ts", "--sourcemap", "-d", output], {
    cwd: gateway
  })
  return join(output, "secure-mcp-gateway.cjs")
}
