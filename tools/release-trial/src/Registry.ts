import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdir, writeFile } from "node:fs/promises"
import { createServer } from "node:net"
import { join } from "node:path"
import { run } from "./Command.ts"

/** A registry on this machine, which has our packages itself and all others from the one that npm uses here. */
export interface Registry {
  readonly url: string
  /** What npm needs to use it. */
  readonly env: Readonly<Record<string, string>>
  /** Its files. */
  readonly storage: string
  readonly stop: () => void
}

export const startRegistry = async (root: string, directory: string): Promise<Registry> => {
  await mkdir(directory, { recursive: true })
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const uplink = (await run("npm", ["config", "get", "registry"], { cwd: root })).trim()
  const config = join(directory, "verdaccio.json")
  const storage = join(directory, "storage")
  const rule = { access: "$all", publish: "$all", unpublish: "$all" }
  await writeFile(
    config,
    JSON.stringify({
      storage,
      uplinks: { others: { url: uplink, maxage: "60m" } },
      packages: { "@secure-mcp/*": rule, "**": { access: "$all", proxy: "others" } },
      log: { type: "stdout", format: "json", level: "error" },
      max_body_size: "50mb"
    })
  )
  const npmrc = join(directory, "npmrc")
  await writeFile(npmrc, `registry=${url}/\n//127.0.0.1:${port}/:_authToken=nobody\nprovenance=false\n`)
  const server = spawn(
    process.execPath,
    [join(root, "node_modules/verdaccio/bin/verdaccio"), "--config", config, "--listen", `127.0.0.1:${port}`],
    { stdio: "ignore" }
  )
  const env = {
    npm_config_userconfig: npmrc,
    npm_config_registry: `${url}/`,
    npm_config_cache: join(directory, "cache")
  }
  const stop = () => void server.kill()
  for (let tries = 0; tries < 300; tries += 1) {
    if (await answers(url)) return { url, env, storage, stop }
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  stop()
  throw new Error("The registry did not start within 30 s")
}

const answers = (url: string): Promise<boolean> =>
  fetch(`${url}/-/ping`).then(
    ({ ok }) => ok,
    () => false
  )

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  server.close()
  return typeof address === "object" && address !== null ? address.port : 0
}
