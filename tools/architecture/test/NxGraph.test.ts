import { assert, beforeAll, describe, it } from "@effect/vitest"
import { targetGraph, type TargetGraph } from "../src/NxGraph.ts"
import { plan } from "../src/Plan.ts"
import { importsOf, manifestOf, projectFolders, siblingOf, typeScriptFiles } from "../src/Workspace.ts"

const asked: { graph?: TargetGraph } = {}

const graph = (): TargetGraph => {
  assert.isDefined(asked.graph)
  return asked.graph
}

const inputsOf = (target: string, folder: string): string =>
  (graph().inputs[`${manifestOf(folder).name}:${target}`] ?? []).join("\n")

/** The folders of the siblings that the files of a project import, tests included. */
const importedFolders = (folder: string): ReadonlyArray<string> => {
  const names = new Set(
    typeScriptFiles(`${folder}/**/*.ts`)
      .flatMap((file) => importsOf(file))
      .map(siblingOf)
  )
  return projectFolders.filter((other) => other !== folder && names.has(siblingOf(manifestOf(other).name)))
}

describe("Nx", () => {
  beforeAll(async () => {
    asked.graph = await targetGraph(["test", "typecheck", "lint"])
  })

  it.each(Object.entries(plan))(
    "Nx draws the arrows of %s that the plan has, and no other",
    (folder, project) => {
      const manifest = manifestOf(folder)
      const declared = { ...manifest.dependencies, ...manifest.peerDependencies, ...manifest.devDependencies }
      const drawn = (graph().dependencies[manifest.name] ?? []).map(siblingOf)
      assert.deepStrictEqual(
        drawn.toSorted(),
        Object.keys(declared)
          .map(siblingOf)
          .filter((name) => name !== undefined)
          .toSorted()
      )
      const allowed = new Set([...project.imports, ...(project.testImports ?? [])])
      assert.deepStrictEqual(
        drawn.filter((name) => name === undefined || !allowed.has(name)),
        []
      )
    }
  )

  it.each(projectFolders)(
    "Nx runs the tests of %s again when a project that they import has changed",
    (folder) => {
      const inputs = inputsOf("test", folder)
      if (inputs.includes("{workspaceRoot}/**/*")) return
      for (const imported of importedFolders(folder)) assert.include(inputs, `${imported}/src/**/*`)
    }
  )

  it("Nx runs the tests of oauth-flows again when the stub authorization server has changed", () => {
    assert.include(inputsOf("test", "packages/oauth-flows"), "packages/testing/src/**/*")
  })

  it("Nx checks the types of oauth-flows again when the stub authorization server has changed", () => {
    assert.include(inputsOf("typecheck", "packages/oauth-flows"), "packages/testing/src/**/*")
  })

  it.each(projectFolders)("the targets of %s have the shared configuration among their inputs", (folder) => {
    const shared = ["tsconfig.base.json", "package-lock.json"]
    for (const file of [...shared, ".oxlintrc.json"]) assert.include(inputsOf("lint", folder), file)
    for (const file of shared) assert.include(inputsOf("typecheck", folder), file)
    if (folder === "tools/architecture") return
    for (const file of [...shared, "vitest.config.ts"]) assert.include(inputsOf("test", folder), file)
  })
})
