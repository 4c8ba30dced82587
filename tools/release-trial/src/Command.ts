import { execFile } from "node:child_process"
import { promisify } from "node:util"

/** Runs a program to its end and gives what it wrote on standard output. Rejects with all that it wrote when it fails. */
export const run = async (
  program: string,
  args: ReadonlyArray<string>,
  options: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> }
): Promise<string> => {
  try {
    const { stdout } = await promisify(execFile)(program, [...args], {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      maxBuffer: 64 * 1024 * 1024
    })
    return stdout
  } catch (error) {
    const { stderr = "", stdout = "" } = error as { readonly stderr?: string; readonly stdout?: string }
    throw new Error(`${program} ${args.join(" ")} failed:\n${stdout}\n${stderr}`, { cause: error })
  }
}
