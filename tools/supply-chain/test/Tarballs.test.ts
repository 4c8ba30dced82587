import { assert, beforeAll, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { promisify } from "node:util"
import { lockedAt } from "../src/Lockfile.ts"
import { bundledFolder, manifestOf, publishedFolders, read, readLockfile, root } from "../src/Repository.ts"

interface Packed {
  readonly name: string
  readonly files: ReadonlyArray<{ readonly path: string }>
}

/** The paths of what `npm publish` would send, by the name of the package. */
const pack = async (
  directory: string,
  ...args: ReadonlyArray<string>
): Promise<ReadonlyMap<string, ReadonlyArray<string>>> => {
  const { stdout } = await promisify(execFile)(
    "npm",
    ["pack", "--dry-run", "--json", "--ignore-scripts", ...args],
    {
      cwd: directory,
      maxBuffer: 64 * 1024 * 1024
    }
  )
  const packed: unknown = JSON.parse(stdout)
  return new Map(
    Object.values(packed as Record<string, Packed>).map(({ files, name }) => [
      name,
      files.map(({ path }) => path)
    ])
  )
}

const unbundledFolders = publishedFolders.filter((folder) => folder !== bundledFolder)

const packed: { tarballs?: ReadonlyMap<string, ReadonlyArray<string>> } = {}

const filesOf = (folder: string): ReadonlyArray<string> => packed.tarballs?.get(manifestOf(folder).name) ?? []

describe("a tarball", () => {
  beforeAll(async () => {
    packed.tarballs = await pack(root, ...publishedFolders.flatMap((folder) => ["--workspace", folder]))
  })

  it.each(publishedFolders)(
    "the tarball of %s has our licence, a page for readers and a changelog",
    (folder) => {
      assert.includeMembers([...filesOf(folder)], ["LICENSE", "README.md", "CHANGELOG.md"])
      assert.strictEqual(read(`${folder}/LICENSE`), read("LICENSE"))
    }
  )

  it.each(unbundledFolders)(
    "the tarball of %s has notices with the licence of each package it needs",
    (folder) => {
      assert.include(filesOf(folder), "THIRD_PARTY_NOTICES.txt")
      const lockfile = readLockfile()
      const { dependencies, peerDependencies, peerDependenciesMeta } = manifestOf(folder)
      const needed = Object.keys({ ...dependencies, ...peerDependencies })
        .filter((name) => !name.startsWith("@secure-mcp/"))
        .filter((name) => peerDependenciesMeta?.[name]?.optional !== true)
        .map((name) => `${name} (${lockedAt(lockfile, `node_modules/${name}`).license})`)
      const [, list = ""] = read(`${folder}/THIRD_PARTY_NOTICES.txt`).split("\n\n")
      assert.deepStrictEqual(list.trim().split("\n"), needed.toSorted())
    }
  )

  it("the tarball of the gateway has the notices that are written beside its bundle, and the unit of systemd", async () => {
    const directory = await mkdtemp(join(tmpdir(), "tarball-"))
    try {
      await copyFile(resolve(root, bundledFolder, "package.json"), join(directory, "package.json"))
      await mkdir(join(directory, "dist"))
      await writeFile(join(directory, "dist/THIRD_PARTY_NOTICES.txt"), "notices")
      assert.include([...(await pack(directory)).values()].flat(), "dist/THIRD_PARTY_NOTICES.txt")
      assert.include(filesOf(bundledFolder), "systemd/secure-mcp-gateway.service")
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  })

  it.each(publishedFolders)("the tarball of %s has nothing but what its users need", (folder) => {
    const expected =
      /^(?:bin|dist|src|systemd)\/|^(?:LICENSE|README\.md|THIRD_PARTY_NOTICES\.txt|package\.json|CHANGELOG\.md)$/
    assert.deepStrictEqual(
      filesOf(folder).filter((path) => !expected.test(path)),
      []
    )
  })
})
