import { assert, describe, it } from "@effect/vitest"
import { logCallsOf, loggedRows, type LogCall } from "../src/LogCalls.ts"
import { read, typeScriptFiles } from "../src/Workspace.ts"

const row = ({ file, level, message }: LogCall): string => `${level} | ${message} | ${file}`

const sorted = (calls: ReadonlyArray<LogCall>): ReadonlyArray<string> => [...new Set(calls.map(row))].sort()

/** Everything that runs in the gateway. */
const sources = typeScriptFiles("{packages,apps}/*/src/**/*.ts").filter(
  (file) => /^(packages|apps\/gateway)\//.test(file) && !file.startsWith("packages/testing/")
)

describe("the log", () => {
  it("the table of the log lists every entry at info and above that the code writes, and no other", () => {
    const written = sorted(sources.flatMap((file) => logCallsOf(file)))
    assert.isAbove(written.length, 50)
    assert.deepStrictEqual(sorted(loggedRows(read("docs/logging.md"))), written)
  })

  it("each row of the table of the log says why the entry holds no secret", () => {
    const rows = read("docs/logging.md")
      .split("\n")
      .filter((line) => /^\| (?:info|warn|error|fatal) /.test(line))
    assert.isAbove(rows.length, 50)
    for (const line of rows) assert.match(line, /\| [^|]*[a-z][^|]* \|$/, line)
  })

  it("no code writes to the log in a way that the table of the log cannot see", () => {
    const others = sources.filter((file) =>
      /\bEffect\.logWithLevel\b|\bEffect\.log\w*(?![\w(])|\bconsole\.(?:log|warn|info|debug)\(/.test(
        read(file).replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "")
      )
    )
    assert.deepStrictEqual(others, ["packages/gateway-server/src/display/VisibleConsole.ts"])
  })

  it("an entry is found with its level and with its computed parts left open", () => {
    const code = 'Effect.logWarning(`A ${x} of ${y}`, z); Effect.logDebug("no"); Effect.logInfo("Yes")'
    assert.deepStrictEqual(logCallsOf("a.ts", code), [
      { level: "warn", message: "A … of … …", file: "a.ts" },
      { level: "info", message: "Yes", file: "a.ts" }
    ])
  })
})
