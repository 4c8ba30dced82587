import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { resolve } from "node:path"
import { denoVersion } from "../src/Runtimes.ts"

describe("the README of the client with Promises", () => {
  it("the README of the client names the version of Deno that releases are tried with", () => {
    const readme = resolve(import.meta.dirname, "../../../packages/oauth-client/README.md")
    assert.include(readFileSync(readme, "utf8"), `Deno ${denoVersion}`)
  })
})
