import { systemPrograms } from "./programs/SystemProgram.ts"
import { installMissingPrograms } from "./programs/SystemSetup.ts"

/** `npm run setup:system`. */
try {
  const installed = await installMissingPrograms(systemPrograms)
  process.stdout.write(
    installed.length === 0
      ? "Every program that the tests run is there.\n"
      : `Installed ${installed.join(", ")}.\n`
  )
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
