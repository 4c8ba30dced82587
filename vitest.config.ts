import { defineConfig } from "vitest/config"

/** Workspace packages are taken from their sources, so that tests need no build. */
const conditions = ["@secure-mcp/source", "node", "import", "default"]

/** A place for a machine-readable report, next to the one for people. */
const jsonReport = process.env["VITEST_JSON_REPORT"]

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ["{packages,apps,examples,tools}/*/test/**/*.test.ts"],
    globalSetup: ["apps/gateway/test/cli/commandBundler.ts"],
    // Many tests wait for a process or a socket: the core that Vitest leaves to itself is worth more to them.
    maxWorkers: "100%",
    // It ends a test that hangs, and judges no speed: on a busy machine a test takes ten times as long as elsewhere.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    reporters: jsonReport === undefined ? ["default"] : ["default", ["json", { outputFile: jsonReport }]]
  }
})
