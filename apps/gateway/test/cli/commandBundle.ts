import { cp, mkdtemp } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { type InputOptions, rolldown } from "rolldown"
import options from "../../rolldown.config.ts"

/**
 * Bundles the command into a folder of its own, with `bin` and `package.json` beside it as they are published. A bundle starts many times
 * faster than the sources.
 *
 * @param adapt changes the settings of the published bundle
 */
export const makeCommandBundle = async (
  adapt: (settings: InputOptions) => InputOptions = (settings) => settings
): Promise<string> => {
  const root = fileURLToPath(new URL("../../", import.meta.url))
  const folder = await mkdtemp(join(tmpdir(), "gateway-bundle-"))
  const { output, ...settings } = [options].flat()[0] ?? {}
  const bundle = await rolldown({ ...adapt(settings), cwd: root })
  await bundle.write({ ...[output].flat()[0], dir: join(folder, "dist") })
  await bundle.close()
  await cp(join(root, "bin"), join(folder, "bin"), { recursive: true })
  await cp(join(root, "package.json"), join(folder, "package.json"))
  return folder
}
