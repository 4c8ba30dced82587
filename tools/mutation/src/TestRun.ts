import { spawn } from "node:child_process"
import { mutatedFile, mutatedText } from "./MutatedSource.ts"

/** A source and the file that has its mutated text. */
export interface Replacement {
  readonly file: string
  readonly text: string
}

/** Whether the tests are green. Tests that do not end are not: a change can make an endless loop. */
export const areTestsGreen = (
  tests: ReadonlyArray<string>,
  timeoutMs: number,
  replacement?: Replacement
): Promise<boolean> =>
  new Promise((resolve, reject) => {
    const command = ["node_modules/vitest/vitest.mjs", "run", "--config", "tools/mutation/vitest.config.ts"]
    const child = spawn(process.execPath, [...command, "--root", ".", "--reporter", "dot", ...tests], {
      stdio: "ignore",
      // A group of its own: the workers end with it.
      detached: true,
      env: {
        ...process.env,
        ...(replacement === undefined
          ? {}
          : { [mutatedFile]: replacement.file, [mutatedText]: replacement.text })
      }
    })
    const timer = setTimeout(() => {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL")
    }, timeoutMs)
    child.on("error", reject)
    child.on("exit", (code) => {
      clearTimeout(timer)
      resolve(code === 0)
    })
  })
