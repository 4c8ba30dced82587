import { defineConfig } from "rolldown"
import { asciiText } from "./AsciiText.ts"
import { builtinModules, lateSegmenter, undiciParts } from "./LateModules.ts"
import { thirdPartyNotices } from "./ThirdPartyNotices.ts"

/**
 * The command as a tree-shaken bundle: a client that starts it for each session does not wait for hundreds of
 * modules. It stands beside the modules, because it looks for package.json one folder up.
 */
export default defineConfig({
  input: { "secure-mcp-gateway": "src/main.ts" },
  platform: "node",
  // `redis` looks for it only if it is told to measure itself, which nobody tells it here.
  external: ["@opentelemetry/api"],
  // Effect asks for the variables that Vite has there.
  transform: { define: { "import.meta.env": "undefined" } },
  plugins: [builtinModules(), undiciParts(), lateSegmenter(), thirdPartyNotices(), asciiText()],
  resolve: { conditionNames: ["@secure-mcp/source", "node", "import", "default"] },
  output: {
    dir: "dist",
    // `bin/compiled.cjs` loads it. For modules Node has no public way to give V8 what it has compiled before.
    format: "cjs",
    entryFileNames: "[name].cjs",
    chunkFileNames: "chunks/[name]-[hash].cjs",
    // Node keeps the text of what it runs in memory.
    comments: { legal: true, annotation: false, jsdoc: false },
    minify: { mangle: false, compress: true, codegen: false }
  }
})
