import { defineConfig } from "rolldown"

/** The command as one tree-shaken file: a client that starts it for each session does not wait for modules. */
export default defineConfig({
  input: "src/main.ts",
  platform: "node",
  resolve: { conditionNames: ["@secure-mcp/source", "node", "import", "default"] },
  output: {
    file: "dist/secure-mcp-gateway.js",
    format: "esm",
    minify: { mangle: false, compress: true, codegen: false }
  }
})
