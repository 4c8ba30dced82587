import { afterAll, assert, describe, it } from "@effect/vitest"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, relative } from "node:path"
import { writeApiReference } from "../src/ApiReference.ts"
import { publicEntries } from "../src/Entries.ts"
import { root } from "../src/Repository.ts"

const fixtures = join(import.meta.dirname, "fixtures")

const entry = (file: string) => ({
  name: "@secure-mcp/fixture",
  source: relative(root, join(fixtures, file)),
  description: "Answers."
})

describe("the API reference", () => {
  const directory = mkdtempSync(join(tmpdir(), "api-reference-"))
  afterAll(() => rmSync(directory, { recursive: true, force: true }))
  const write = (file: string) =>
    writeApiReference([entry(file)], join(fixtures, "tsconfig.json"), join(directory, file))

  it("an entry is called as it is imported, and its page has the description of the package", async () => {
    await write("Whole.ts")
    const page = readFileSync(join(directory, "Whole.ts/modules/_secure-mcp_fixture.html"), "utf8")
    assert.include(page, "Answers.")
    assert.include(page, "../variables/_secure-mcp_fixture.answer.html")
  })

  it("a link in a docstring that leads nowhere is an error", async () => {
    const error: unknown = await write("DeadLink.ts").catch((reason: unknown) => reason)
    assert.instanceOf(error, Error)
    assert.strictEqual(error.message, "The API reference has mistakes: 1, see above")
  })

  it("entries that others may import are in the reference, and no internal one", () => {
    const names = publicEntries().map(({ name }) => name)
    assert.includeMembers(names, [
      "@secure-mcp/oauth-client",
      "@secure-mcp/oauth-client/mcp",
      "@secure-mcp/token-cache-sql/sqlite"
    ])
    assert.isFalse(names.some((name) => name.endsWith("/internal")))
  })
})
