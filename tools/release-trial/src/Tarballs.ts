import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core"
import { publint } from "publint"
import { formatMessage } from "publint/utils"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { Released } from "./Release.ts"

/** What publint (strict) and attw (for ES modules only) say about a package. Nothing, if it is as it should be. */
export const complaintsOf = async (
  { folder, name, version }: Released,
  url: string
): Promise<ReadonlyArray<string>> => {
  const { messages } = await publint({ pkgDir: folder, strict: true, pack: "npm" })
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Record<string, unknown>
  const said = messages.map((message) => `${name}: ${formatMessage(message, manifest) ?? message.code}`)
  const tarball = await fetch(`${url}/${name}/-/${name.split("/")[1]}-${version}.tgz`)
  if (!tarball.ok) return [...said, `${name}: no tarball (HTTP ${tarball.status})`]
  const analysis = await checkPackage(
    createPackageFromTarballData(new Uint8Array(await tarball.arrayBuffer()))
  )
  const problems = analysis.types === false ? [] : analysis.problems
  return [
    ...said,
    // `require` of an ES module works from Node 22.12 on, and resolution without `exports` is that of Node 10.
    ...problems
      .filter(
        (problem) =>
          problem.kind !== "CJSResolvesToESM" &&
          !("resolutionKind" in problem && problem.resolutionKind === "node10")
      )
      .map((problem) => `${name}: ${problem.kind}`)
  ]
}
