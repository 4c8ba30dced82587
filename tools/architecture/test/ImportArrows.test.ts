import { assert, describe, it } from "@effect/vitest"
import { dirname, relative, resolve } from "node:path"
import { plan } from "../src/Plan.ts"
import {
  importsOf,
  manifestOf,
  packageOf,
  projectFolders,
  root,
  siblingOf,
  typeScriptFiles
} from "../src/Workspace.ts"

const projects = Object.entries(plan)

const files = typeScriptFiles("{packages,apps,examples,tools}/**/*.ts").map((path) => ({
  path,
  imports: importsOf(path)
}))

/** `file -> specifier` for each import in the files of a folder that is not as it should be. */
const importsThat = (
  folder: string,
  isWrong: (specifier: string, file: string) => boolean
): ReadonlyArray<string> =>
  files
    .filter(({ path }) => path.startsWith(folder))
    .flatMap(({ imports, path }) =>
      imports.filter((specifier) => isWrong(specifier, path)).map((specifier) => `${path} -> ${specifier}`)
    )

describe("the arrows of import", () => {
  it("the arrows include every project", () => {
    assert.deepStrictEqual(projectFolders, projects.map(([folder]) => folder).sort())
  })

  it.each(projects)("%s imports only the siblings it may", (folder, { imports }) => {
    const isWrong = (specifier: string) => {
      const sibling = siblingOf(specifier)
      return sibling !== undefined && !imports.includes(sibling)
    }
    assert.deepStrictEqual(importsThat(`${folder}/src/`, isWrong), [])
  })

  it.each(projects)("the tests of %s import only the siblings they may", (folder, project) => {
    const own = siblingOf(manifestOf(folder).name)
    const allowed = new Set([...project.imports, ...(project.testImports ?? []), own])
    const isWrong = (specifier: string) => {
      const sibling = siblingOf(specifier)
      return sibling !== undefined && !allowed.has(sibling)
    }
    assert.deepStrictEqual(importsThat(`${folder}/test/`, isWrong), [])
  })

  it.each(projects)("%s does not reach into another project by path", (folder) => {
    const isWrong = (specifier: string, file: string) =>
      specifier.startsWith(".") &&
      relative(resolve(root, folder, "src"), resolve(root, dirname(file), specifier)).startsWith("..")
    assert.deepStrictEqual(importsThat(`${folder}/src/`, isWrong), [])
  })
})

const manifests = projectFolders.map(manifestOf)

const versions = new Map(manifests.map(({ name, version }) => [name, version]))

const unpublished = new Set(manifests.filter((manifest) => manifest.private === true).map(({ name }) => name))

const isUndeclared = (specifier: string, declared: ReadonlyArray<string>): boolean => {
  const name = packageOf(specifier)
  return name !== undefined && !declared.includes(name)
}

describe("a package.json", () => {
  it.each(projects)("the package.json of %s depends only on the siblings it may", (folder, { imports }) => {
    const { dependencies, peerDependencies } = manifestOf(folder)
    const wrong = Object.keys({ ...dependencies, ...peerDependencies })
      .map(siblingOf)
      .filter((sibling) => sibling !== undefined && !imports.includes(sibling))
    assert.deepStrictEqual(wrong, [])
  })

  it.each(projects)(
    "the package.json of %s adds for tests only the siblings it may",
    (folder, { bundled = false, imports, testImports = [] }) => {
      const allowed = bundled ? [...imports, ...testImports] : testImports
      const wrong = Object.keys(manifestOf(folder).devDependencies ?? {})
        .map(siblingOf)
        .filter((sibling) => sibling !== undefined && !allowed.includes(sibling))
      assert.deepStrictEqual(wrong, [])
    }
  )

  it.each(projects)(
    "the package.json of %s names every package that its source imports",
    (folder, { bundled }) => {
      const { dependencies, devDependencies, peerDependencies, private: isPrivate } = manifestOf(folder)
      // Nobody installs a private project, and with a bundle nothing else is installed.
      const development = isPrivate === true || bundled === true ? devDependencies : {}
      const declared = Object.keys({ ...dependencies, ...peerDependencies, ...development })
      const isWrong = (specifier: string) => isUndeclared(specifier, declared)
      assert.deepStrictEqual(importsThat(`${folder}/src/`, isWrong), [])
    }
  )

  it.each(projects)("the package.json of %s names every package that its tests import", (folder) => {
    const { dependencies, devDependencies, name, peerDependencies } = manifestOf(folder)
    const declared = [name, ...Object.keys({ ...dependencies, ...devDependencies, ...peerDependencies })]
    const isWrong = (specifier: string) => isUndeclared(specifier, declared)
    assert.deepStrictEqual(importsThat(`${folder}/`, isWrong), [])
  })

  it.each(projects)("the package.json of %s has the current versions of siblings", (folder) => {
    const { dependencies, devDependencies, peerDependencies } = manifestOf(folder)
    const wrong = Object.entries({ ...dependencies, ...devDependencies, ...peerDependencies }).filter(
      ([name, range]) => siblingOf(name) !== undefined && range !== `^${versions.get(name)}`
    )
    assert.deepStrictEqual(wrong, [])
  })

  it.each(projects.filter(([folder]) => manifestOf(folder).private !== true))(
    "the package.json of %s, which is published, depends on no unpublished package",
    (folder) => {
      const { dependencies, peerDependencies } = manifestOf(folder)
      const wrong = Object.keys({ ...dependencies, ...peerDependencies }).filter((name) =>
        unpublished.has(name)
      )
      assert.deepStrictEqual(wrong, [])
    }
  )
})
