import { mergeConfig } from "vitest/config"
import root from "../../vitest.config.ts"
import { mutatedSource } from "./src/MutatedSource.ts"

/** The tests of the repository, on a source that is mutated: a cache of modules would give them the source as it is. */
export default mergeConfig(root, {
  plugins: [mutatedSource(process.env)],
  test: { maxWorkers: 1, bail: 1, fsModuleCache: false }
})
