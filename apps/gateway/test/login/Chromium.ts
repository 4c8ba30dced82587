import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { accessSync, constants } from "node:fs"
import { delimiter, join } from "node:path"
import { promisify } from "node:util"
import { chromium } from "playwright-core"

/** A Chromium that this machine has, or that Debian can give it; undefined with a line that says how to get one. */
export const findChromium = async (): Promise<string | undefined> => {
  const found = onPath() ?? (await install())
  if (found === undefined) {
    process.stderr.write(
      "No Chromium: put `chromium` or `google-chrome` on the PATH (Debian: apt-get install chromium)\n"
    )
  }
  return found
}

const onPath = (): string | undefined =>
  ["chromium", "chromium-browser", "google-chrome"]
    .flatMap((name) => (process.env["PATH"] ?? "").split(delimiter).map((directory) => join(directory, name)))
    .find(isExecutable)

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Only root can, and only where there is apt-get. Each step has three minutes. */
const install = async (): Promise<string | undefined> => {
  if (process.getuid?.() !== 0) return undefined
  const run = promisify(execFile)
  const options = { timeout: 180_000 }
  try {
    await run("apt-get", ["update"], options)
    await run("apt-get", ["install", "--yes", "--no-install-recommends", "chromium"], {
      ...options,
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" }
    })
  } catch {
    return undefined
  }
  return onPath()
}

/** A page of a browser with a profile of its own, which playwright throws away; closed with the scope. */
export const openPage = (executablePath: string) =>
  Effect.acquireRelease(
    Effect.promise(() =>
      chromium.launch({
        executablePath,
        headless: true,
        args: [
          "--no-sandbox",
          "--disable-gpu",
          "--disable-quic",
          "--no-first-run",
          "--disable-background-networking",
          "--disable-component-update",
          "--disable-sync"
        ]
      })
    ),
    (browser) => Effect.promise(() => browser.close())
  ).pipe(Effect.flatMap((browser) => Effect.promise(() => browser.newPage())))
