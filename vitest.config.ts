import { defineConfig } from "vitest/config"

/** Workspace packages are taken from their sources, so that tests need no build. */
const conditions = ["@secure-mcp/source", "node", "import", "default"]

/** A place for a machine-readable report, next to the one for people. */
const jsonReport = process.env["VITEST_JSON_REPORT"]

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: "gateway",
          include: ["apps/gateway/test/**/*.test.ts"],
          globalSetup: ["apps/gateway/test/cli/bundledCommand.ts"]
        }
      },
      {
        extends: true,
        test: {
          name: "others",
          include: ["{packages,apps,examples,tools}/*/test/**/*.test.ts"],
          exclude: ["apps/gateway/test/**"]
        }
      }
    ],
    // Many tests wait for a process or a socket: the core that Vitest leaves to itself is worth more to them.
    maxWorkers: "100%",
    testTimeout: 30_000,
    hookTimeout: 30_000,
    reporters: jsonReport === undefined ? ["default"] : ["default", ["json", { outputFile: jsonReport }]]
  }
})
