import { execFile } from "node:child_process"
import { promisify } from "node:util"

/** How long a program may take, in milliseconds: a release of all packages takes less than a minute. */
const timeLimit = 5 * 60_000

/**
 * Runs a program to its end and gives what it wrote on standard output. Rejects with all that it wrote when it fails, or does not
 * end in time.
 */
export const run = async (
  program: string,
  args: ReadonlyArray<string>,
  options: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> }
): Promise<string> => {
  try {
    const { stdout } = await promisify(execFile)(program, [...args], {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      maxBuffer: 64 * 1024 * 1024,
      timeout: timeLimit,
      killSignal: "SIGKILL"
    })
    return stdout
  } catch (error) {
    const {
      killed,
      stderr = "",
      stdout = ""
    } = error as { readonly killed?: boolean; readonly stderr?: string; readonly stdout?: string }
    const what = killed === true ? `did not end within ${timeLimit / 1000} s` : "failed"
    throw new Error(`${program} ${args.join(" ")} ${what}:\n${stdout}\n${stderr}`, { cause: error })
  }
}
