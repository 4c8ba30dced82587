import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, relative } from "node:path"
import { apiReport } from "./ApiReport.ts"
import { publicEntries, root } from "./Entries.ts"

/** `npm run api`: writes `packages/NAME/etc/NAME.api.md`. With `--check` it writes nothing and fails where one is not up to date. */
const isCheck = process.argv.includes("--check")
const outdated: Array<string> = []
for (const entry of publicEntries()) {
  if (!existsSync(entry.declarations)) {
    process.stderr.write(`${entry.name} has no declarations yet: run npm run build\n`)
    process.exit(1)
  }
  const report = apiReport(entry)
  const before = existsSync(entry.report) ? readFileSync(entry.report, "utf8") : undefined
  if (report === before) continue
  outdated.push(relative(root, entry.report))
  if (isCheck) continue
  mkdirSync(dirname(entry.report), { recursive: true })
  writeFileSync(entry.report, report)
}
for (const file of outdated) process.stdout.write(`${isCheck ? "not up to date" : "written"}: ${file}\n`)
if (isCheck && outdated.length > 0) {
  process.stderr.write(
    "What the packages offer has changed. If that is intended: npm run api, and look at the diff\n"
  )
  process.exit(1)
}
