import { mkdir, writeFile } from "node:fs/promises"
import { basename, join, resolve } from "node:path"
import { bundleGateway } from "./Bundle.ts"
import { bundledFolder, publishedFolders, readLockfile, root } from "./Repository.ts"
import { sbomOf } from "./Sbom.ts"

/** `npm run sbom`: writes `sbom/NAME.cdx.json` for each published package. */
const lockfile = readLockfile()
const { packages } = await bundleGateway(lockfile)
const directory = resolve(root, "sbom")
await mkdir(directory, { recursive: true })
for (const folder of publishedFolders) {
  const sbom = sbomOf(lockfile, folder, folder === bundledFolder ? packages : new Set())
  const file = join(directory, `${basename(folder)}.cdx.json`)
  await writeFile(file, `${JSON.stringify(sbom, undefined, 2)}\n`)
  process.stdout.write(`${file}: ${sbom.components.length} components\n`)
}
