import { globSync, readFileSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { parseSync, Visitor } from "rolldown/utils"

/** The directory of the repository. */
export const root = resolve(import.meta.dirname, "../../..")

export const read = (file: string): string => readFileSync(resolve(root, file), "utf8")

type Dependencies = Readonly<Record<string, string>>

/** What is read of a `package.json`. */
export interface Manifest {
  readonly name: string
  readonly version: string
  readonly private?: boolean
  readonly scripts?: Readonly<Record<string, string>>
  readonly exports?: Readonly<Record<string, string | Readonly<Record<string, string>>>>
  readonly dependencies?: Dependencies
  readonly devDependencies?: Dependencies
  readonly peerDependencies?: Dependencies
}

export const manifestOf = (folder: string): Manifest => JSON.parse(read(`${folder}/package.json`)) as Manifest

/** The folders of all projects, such as `packages/mtls`. */
export const projectFolders: ReadonlyArray<string> = globSync(
  "{packages,apps,examples,tools}/*/package.json",
  {
    cwd: root
  }
)
  .map(dirname)
  .sort()

/** TypeScript files, as paths from the repository's directory. */
export const typeScriptFiles = (pattern: string): ReadonlyArray<string> =>
  globSync(pattern, { cwd: root, exclude: ["**/node_modules/**", "**/dist/**"] }).sort()

/** What a file imports, in every form: `import`, `import type`, `export from`, `import()`, and types by `import("…")`. */
export const importsOf = (file: string, text = read(file)): ReadonlyArray<string> => {
  const found: Array<string> = []
  const add = (source: unknown) => {
    if (typeof source === "object" && source !== null && "value" in source) found.push(String(source.value))
  }
  new Visitor({
    ImportDeclaration: ({ source }) => add(source),
    ExportAllDeclaration: ({ source }) => add(source),
    ExportNamedDeclaration: ({ source }) => add(source),
    ImportExpression: ({ source }) => add(source),
    TSImportType: ({ source }) => add(source)
  }).visit(parseSync(file, text).program)
  return found
}

/** `@secure-mcp/mtls` of `@secure-mcp/mtls/testing`; undefined for a path and for a module of Node. */
export const packageOf = (specifier: string): string | undefined =>
  specifier.startsWith(".") || specifier.startsWith("node:")
    ? undefined
    : specifier
        .split("/")
        .slice(0, specifier.startsWith("@") ? 2 : 1)
        .join("/")

/** `mtls` of `@secure-mcp/mtls`; undefined for a package from elsewhere. */
export const siblingOf = (specifier: string): string | undefined =>
  /^@secure-mcp\/([^/]+)/.exec(specifier)?.[1]
