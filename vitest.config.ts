import { defineConfig } from "vitest/config"

const conditions = ["@secure-mcp/source", "node", "import", "default"]

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    projects: ["packages/*", "apps/*", "tools/*"].map((folder) => ({
      extends: true,
      test: { include: [`${folder}/test/**/*.test.ts`], name: folder.split("/")[0] ?? folder }
    })),
    testTimeout: 20_000,
    hookTimeout: 30_000
  }
})
