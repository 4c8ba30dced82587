import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { resolve } from "node:path"
import { promisify } from "node:util"

const folder = resolve(import.meta.dirname, "..")

/** The command from its sources, as `npm run gateway` runs it. */
const gateway = (...args: ReadonlyArray<string>) =>
  promisify(execFile)(
    process.execPath,
    ["--conditions=@secure-mcp/source", resolve(folder, "../../apps/gateway/src/main.ts"), ...args],
    // npm names the folder in which it was called, which goes before this one.
    { cwd: folder, env: { ...process.env, INIT_CWD: folder, CLIENT_SECRET: "a-secret" } }
  )

describe("the quick start", () => {
  it("the file of the quick start passes check", async () => {
    const { stderr, stdout } = await gateway("check", "--config", "gateway.json")
    assert.deepStrictEqual([stdout, stderr], ["gateway.json is valid: 2 servers\n", ""])
  })
})
