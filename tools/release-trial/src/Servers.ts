import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"

/** The servers that strangers talk to, in a process of their own. */
export interface Servers {
  /** Where they are, as the environment of a program. */
  readonly env: Readonly<Record<string, string>>
  readonly stop: () => void
}

/** Starts `servers.ts` of a folder, which writes on one line where they are. */
export const startServers = async (directory: string): Promise<Servers> => {
  const server = spawn(process.execPath, ["servers.ts"], {
    cwd: directory,
    stdio: ["ignore", "pipe", "inherit"]
  })
  const lines = createInterface({ input: server.stdout })
  const [line] = (await Promise.race([
    once(lines, "line"),
    once(server, "exit").then(() => {
      throw new Error("The servers did not start")
    })
  ])) as [string]
  return { env: JSON.parse(line) as Record<string, string>, stop: () => void server.kill() }
}
