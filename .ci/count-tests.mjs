import { readFileSync } from "node:fs"

/** Prints the counts of a Vitest JSON report; a run that left none, or ran nothing, has failed. */
const counts = (report) => {
  try {
    const { numFailedTests, numFailedTestSuites, numPassedTests, numPendingTests } = JSON.parse(
      readFileSync(report, "utf8")
    )
    // A file that could not even be loaded fails without a failed test in it.
    return {
      passed: numPassedTests,
      failed: numFailedTests || Math.min(numFailedTestSuites, 1),
      skipped: numPendingTests
    }
  } catch {
    return { passed: 0, failed: 1, skipped: 0 }
  }
}

const { failed, passed, skipped } = counts(process.argv[2])
process.stdout.write(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}\n`)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0
