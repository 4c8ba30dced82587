import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"

const root = resolve(import.meta.dirname, "../../..")

/** The block of the README that is a test itself. */
const [, example = ""] =
  /^```ts test\n([\s\S]*?)^```/m.exec(readFileSync(resolve(root, "packages/testing/README.md"), "utf8")) ?? []

/** Runs it with Node's own runner, from a folder where it finds the packages. */
const run = (code: string) =>
  new Promise<{ readonly failed: boolean; readonly output: string }>((done) => {
    const output = resolve(import.meta.dirname, "../dist")
    mkdirSync(output, { recursive: true })
    const directory = mkdtempSync(join(output, "example-"))
    const file = join(directory, "example.test.ts")
    writeFileSync(file, code)
    // Inside of a test runner Node's own would only report to the one outside.
    const { NODE_TEST_CONTEXT: _, ...env } = process.env
    execFile(
      process.execPath,
      ["--conditions=@secure-mcp/source", "--test", file],
      { env },
      (error, stdout, stderr) => {
        rmSync(directory, { recursive: true, force: true })
        done({ failed: error !== null, output: stdout + stderr })
      }
    )
  })

describe("the example in the README of the testing package", () => {
  it("an agent is tested against refresh tokens that rotate in ten lines, with Node's own runner", async () => {
    const { failed, output } = await run(example)
    assert.isFalse(failed, output)
    assert.match(output, /pass 1\b/)
  })

  it("an agent that sends a refresh token twice fails the test of the example", async () => {
    const twice = example.replace(
      "  assert.equal(",
      '  await fetch(endpoint("/token"), { method: "POST", body: new URLSearchParams({ grant_type: "refresh_token", refresh_token: "refresh-1-1" }) })\n  assert.equal('
    )
    assert.notStrictEqual(twice, example)
    const { failed } = await run(twice)
    assert.isTrue(failed)
  })
})
