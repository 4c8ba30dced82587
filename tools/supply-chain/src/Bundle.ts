import { relative, resolve } from "node:path"
import { rolldown } from "rolldown"
import { loadConfig } from "rolldown/config"
import { folderOfFile, type Lockfile } from "./Lockfile.ts"
import { bundledFolder, root } from "./Repository.ts"

/** The bundle of the gateway, as it would be written. */
export interface Bundle {
  /** The folders of the packages that have code in it, our own among them, without the gateway itself. */
  readonly packages: ReadonlySet<string>
  /** Those of others. */
  readonly thirdParties: ReadonlySet<string>
  /** The text of `THIRD_PARTY_NOTICES.txt`. */
  readonly notices: string
}

/** Bundles with the gateway's own configuration, and writes nothing. */
export const bundleGateway = async (lockfile: Lockfile): Promise<Bundle> => {
  const config = await loadConfig(resolve(root, bundledFolder, "rolldown.config.ts"))
  const [options] = [config].flat()
  if (options === undefined || typeof options === "function")
    throw new Error("The configuration of the bundle is no object")
  const { output, ...input } = options
  const build = await rolldown({ ...input, cwd: resolve(root, bundledFolder) })
  try {
    const files = (await build.generate([output].flat()[0])).output
    const modules = files.flatMap((file) => (file.type === "chunk" ? file.moduleIds : []))
    const notices = files.find(({ fileName }) => fileName === "THIRD_PARTY_NOTICES.txt")
    if (notices?.type !== "asset") throw new Error("The bundle has no THIRD_PARTY_NOTICES.txt")
    const packages = new Set(modules.flatMap((id) => packageOf(lockfile, id)))
    return {
      packages,
      thirdParties: new Set([...packages].filter((folder) => folder.includes("node_modules/"))),
      notices: String(notices.source)
    }
  } finally {
    await build.close()
  }
}

const packageOf = (lockfile: Lockfile, moduleId: string): ReadonlyArray<string> => {
  // Such a module is the bundler's or a plugin's own: it is no file.
  if (moduleId.startsWith("\0")) return []
  const folder = folderOfFile(lockfile, relative(root, moduleId))
  return folder === undefined || folder === bundledFolder ? [] : [folder]
}
