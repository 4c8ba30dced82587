import { assert, describe, it } from "@effect/vitest"
import { existsSync, globSync, readFileSync } from "node:fs"
import { dirname, relative, resolve } from "node:path"

const root = resolve(import.meta.dirname, "../../..")

/** Which siblings the source of a package may import. Applications may import every package. */
const packageArrows: Readonly<Record<string, ReadonlyArray<string>>> = {
  "oauth-core": [],
  "oauth-flows": ["oauth-core"],
  "token-cache": ["oauth-core"],
  "token-cache-redis": ["oauth-core", "token-cache"],
  "oauth-metrics": ["oauth-core"],
  "transport-injection": ["oauth-core"],
  mtls: ["oauth-core"],
  testing: []
}

const appArrows: Readonly<Record<string, ReadonlyArray<string>>> = {
  gateway: published(),
  "echo-server": [],
  demo: [...published(), "gateway", "echo-server", "authorization-server"]
}

const toolArrows: Readonly<Record<string, ReadonlyArray<string>>> = {
  "authorization-server": [],
  architecture: []
}

function published(): ReadonlyArray<string> {
  return Object.keys(packageArrows).filter((name) => name !== "testing")
}

const rooms = [
  ...Object.entries(packageArrows).map(([name, arrows]) => ({ folder: `packages/${name}`, arrows })),
  ...Object.entries(appArrows).map(([name, arrows]) => ({ folder: `apps/${name}`, arrows })),
  ...Object.entries(toolArrows).map(([name, arrows]) => ({ folder: `tools/${name}`, arrows }))
].filter(({ folder }) => existsSync(resolve(root, folder)))

const specifiers = (file: string): ReadonlyArray<string> =>
  [...readFileSync(resolve(root, file), "utf8").matchAll(/(?:from|import)\s*\(?\s*["']([^"']+)["']/g)].map(
    ([, specifier = ""]) => specifier
  )

const sources = (folder: string): ReadonlyArray<string> => globSync(`${folder}/src/**/*.ts`, { cwd: root })

const sibling = (specifier: string): string | undefined => /^@secure-mcp\/([^/]+)/.exec(specifier)?.[1]

describe("the arrows of import", () => {
  it("know every room there is", () => {
    const folders = globSync("{packages,apps,tools}/*/package.json", { cwd: root }).map(dirname)
    assert.deepStrictEqual(folders.sort(), rooms.map(({ folder }) => folder).sort())
  })

  it.each(rooms)("$folder imports only the siblings it may", ({ arrows, folder }) => {
    const against = sources(folder).flatMap((file) =>
      specifiers(file)
        .filter((specifier) => sibling(specifier) !== undefined && !arrows.includes(sibling(specifier) ?? ""))
        .map((specifier) => `${file} -> ${specifier}`)
    )
    assert.deepStrictEqual(against, [])
  })

  it.each(rooms)("$folder does not reach into another room by path", ({ folder }) => {
    const against = sources(folder).flatMap((file) =>
      specifiers(file)
        .filter((specifier) => specifier.startsWith("."))
        .filter((specifier) =>
          relative(resolve(root, folder, "src"), resolve(root, dirname(file), specifier)).startsWith("..")
        )
        .map((specifier) => `${file} -> ${specifier}`)
    )
    assert.deepStrictEqual(against, [])
  })

  it.each(rooms)("$folder depends only on the siblings it may", ({ arrows, folder }) => {
    const { dependencies = {}, peerDependencies = {} } = JSON.parse(
      readFileSync(resolve(root, folder, "package.json"), "utf8")
    ) as Partial<Record<"dependencies" | "peerDependencies", Readonly<Record<string, string>>>>
    const against = Object.keys({ ...dependencies, ...peerDependencies })
      .map(sibling)
      .filter((name) => name !== undefined && !arrows.includes(name))
    assert.deepStrictEqual(against, [])
  })

  it.each(rooms)("$folder declares every package its source imports", ({ folder }) => {
    const manifest = JSON.parse(readFileSync(resolve(root, folder, "package.json"), "utf8")) as Partial<
      Record<"dependencies" | "peerDependencies", Readonly<Record<string, string>>>
    >
    const declared = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })
    const missing = sources(folder).flatMap((file) =>
      specifiers(file)
        .filter((specifier) => !specifier.startsWith(".") && !specifier.startsWith("node:"))
        .map((specifier) =>
          specifier
            .split("/")
            .slice(0, specifier.startsWith("@") ? 2 : 1)
            .join("/")
        )
        .filter((name) => !declared.includes(name))
        .map((name) => `${file} -> ${name}`)
    )
    assert.deepStrictEqual(missing, [])
  })
})
