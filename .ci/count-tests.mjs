import { readFileSync } from "node:fs"
import { relative } from "node:path"

/** What a Vitest JSON report says; a run that left none, or ran nothing, has failed. */
const read = (report) => {
  try {
    const { numFailedTests, numFailedTestSuites, numPassedTests, numPendingTests, testResults } = JSON.parse(
      readFileSync(report, "utf8")
    )
    return {
      passed: numPassedTests,
      // A file that could not even be loaded fails without a failed test in it.
      failed: numFailedTests || Math.min(numFailedTestSuites, 1),
      skipped: numPendingTests,
      failures: testResults.flatMap(failuresOf),
      retried: testResults.flatMap((file) => messagesOf(file, "passed"))
    }
  } catch {
    return { passed: 0, failed: 1, skipped: 0, failures: [], retried: [] }
  }
}

/** Each failed test of a file with the first of its messages, or why the file could not be loaded. */
const failuresOf = (file) => {
  const failures = messagesOf(file, "failed")
  return failures.length > 0 || file.status !== "failed"
    ? failures
    : [`${relative(process.cwd(), file.name)}: ${file.message}`]
}

/** The tests of a file that ended so, and what went wrong in them at first. */
const messagesOf = ({ assertionResults, name }, status) =>
  assertionResults
    .filter((test) => test.status === status && (status === "failed" || test.failureMessages.length > 0))
    .map(({ duration = 0, failureMessages, fullName }) => {
      const place = relative(process.cwd(), name)
      return `${place}: ${fullName} (${Math.round(duration)} ms)\n${failureMessages[0] ?? ""}`
    })

/** The end of the output is what is read first, so it holds no more of a message than says what happened, and where. */
const shortened = (failure) =>
  failure
    .split("\n")
    .filter((line) => !/^ +at .*(node_modules|node:internal)/.test(line))
    .slice(0, 25)
    .join("\n")
    .slice(0, 3000)

const { failed, failures, passed, retried, skipped } = read(process.argv[2])
for (const failure of retried.slice(0, 10))
  process.stdout.write(`Passed only when it was run again: ${shortened(failure)}\n`)
for (const failure of failures.slice(0, 10)) process.stdout.write(`Failed: ${shortened(failure)}\n`)
process.stdout.write(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}\n`)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0
