import { assert, describe, it } from "@effect/vitest"
import { globSync } from "node:fs"
import { dirname } from "node:path"
import { manifestOf, projectFolders, read, root } from "../src/Workspace.ts"

const pages = globSync(["*.md", "docs/**/*.md", "{packages,apps,examples,tools}/*/README.md"], {
  cwd: root
}).toSorted()

const scriptsOf = (folder: string): ReadonlyArray<string> => Object.keys(manifestOf(folder).scripts ?? {})

/** The scripts that a text runs with npm, and the workspace of each if it names one. */
const scriptsIn = (text: string) =>
  [...text.matchAll(/\bnpm (?:run (?:--silent )?)?(?<name>[a-z:-]+)(?: -w (?<workspace>@[\w/-]+))?/g)]
    .map(({ 0: command, groups }) => ({
      isScript: command.startsWith("npm run") || /^npm (?:start|test)\b/.test(command),
      name: groups?.["name"] ?? "",
      workspace: groups?.["workspace"]
    }))
    .filter(({ isScript }) => isScript)

describe("the scripts that a page names", () => {
  it.each(pages)("each script of npm that %s names is there", (page) => {
    // The README of a workspace may mean its own scripts, and those of the repository.
    const here = new Set([
      ...scriptsOf("."),
      ...(projectFolders.includes(dirname(page)) ? scriptsOf(dirname(page)) : [])
    ])
    const missing = scriptsIn(read(page)).filter(({ name, workspace }) => {
      if (workspace === undefined) return !here.has(name)
      const folder = projectFolders.find((project) => manifestOf(project).name === workspace)
      return folder === undefined || !scriptsOf(folder).includes(name)
    })
    assert.deepStrictEqual(missing, [])
  })

  it("scripts are found with and without `run`, and other commands of npm are none", () => {
    assert.deepStrictEqual(
      scriptsIn(
        "npm ci && npm run docs:api, npm test -- a, `npm start -w @secure-mcp/demo`; npm install x"
      ).map(({ name, workspace }) => [name, workspace]),
      [
        ["docs:api", undefined],
        ["test", undefined],
        ["start", "@secure-mcp/demo"]
      ]
    )
  })
})
