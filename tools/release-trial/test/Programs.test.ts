import { assert, describe, it } from "@effect/vitest"
import { packagesIn } from "../src/Programs.ts"

describe("the packages that a program of a stranger names", () => {
  it("an entry counts for its package, and modules of Node are none", () => {
    const text = [
      'import assert from "node:assert/strict"',
      'import * as Effect from "effect/Effect"',
      'import { mcpFetch } from "@secure-mcp/oauth-client/mcp"',
      'import type { Other } from "@secure-mcp/oauth-client"',
      'const sdk: typeof import("@modelcontextprotocol/client") = require("@modelcontextprotocol/client")',
      'const assert: typeof import("node:assert") = require("node:assert")'
    ].join("\n")
    assert.deepStrictEqual(packagesIn(text), [
      "@modelcontextprotocol/client",
      "@secure-mcp/oauth-client",
      "effect"
    ])
  })
})
