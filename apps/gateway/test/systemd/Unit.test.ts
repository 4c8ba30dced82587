import { assert, describe, it } from "@effect/vitest"
import { findProgram, requireProgram, systemdAnalyzeProgram } from "@secure-mcp/testing"
import { execFile } from "node:child_process"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { promisify } from "node:util"

const name = "secure-mcp-gateway.service"

const unit = resolve(import.meta.dirname, "../../systemd", name)

/** 0 to 10; less is better. The unit is only read: no systemd has to run. */
const exposureOf = async (path: string): Promise<number> => {
  const program = findProgram(systemdAnalyzeProgram)
  if (program === undefined) throw new Error("systemd-analyze has gone")
  const { stdout } = await promisify(execFile)(program, ["security", "--offline=yes", "--no-pager", path])
  const level = /Overall exposure level for .*: ([\d.]+) /.exec(stdout)?.[1]
  if (level === undefined) throw new Error(`systemd-analyze says no exposure level: ${stdout.slice(-300)}`)
  return Number(level)
}

/** All values of a setting, in the order of the file. */
const valuesOf = (text: string, setting: string): ReadonlyArray<string> =>
  text
    .split("\n")
    .filter((line) => line.startsWith(`${setting}=`))
    .map((line) => line.slice(setting.length + 1))

describe("the unit of systemd", () => {
  it.skipIf(requireProgram(systemdAnalyzeProgram) === undefined)(
    "the unit of systemd has an exposure of 2.0 at most, and more without its system call filter and its own user",
    async () => {
      const directory = await mkdtemp(join(tmpdir(), "unit-"))
      try {
        const open = join(directory, name)
        const text = await readFile(unit, "utf8")
        await writeFile(open, text.replaceAll(/^(?:SystemCall|DynamicUser|CapabilityBoundingSet).*$/gm, ""))
        assert.isAtMost(await exposureOf(unit), 2)
        assert.isAbove(await exposureOf(open), 2)
      } finally {
        await rm(directory, { recursive: true, force: true })
      }
    }
  )

  it("the unit of systemd opens no inspector, writes no core dump, and takes secrets as credentials only", async () => {
    const text = await readFile(unit, "utf8")
    const [command = ""] = valuesOf(text, "ExecStart")
    assert.match(command, /^\S+\/node --disable-sigusr1 \S+\/dist\/secure-mcp-gateway\.js serve /)
    assert.deepStrictEqual(valuesOf(text, "LimitCORE"), ["0"])
    assert.isAtLeast(valuesOf(text, "LoadCredential").length, 1)
    // What stands in `Environment` can be read by everybody who may ask systemd about the unit.
    assert.deepStrictEqual(valuesOf(text, "Environment"), ["XDG_STATE_HOME=%S"])
  })
})
