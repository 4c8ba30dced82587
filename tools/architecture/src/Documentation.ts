import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { basename, join, resolve } from "node:path"
import {
  API,
  type Checker,
  type Project,
  SymbolFlags,
  type Symbol as TypeSymbol
} from "typescript/unstable/sync"
import { manifestOf, projectFolders, read, root } from "./Workspace.ts"

/** One public name of a published package. */
export interface PublicExport {
  /** `@secure-mcp/token-cache/testing tokenStoreContract`. */
  readonly name: string
  /** The file that declares it, from the repository's directory. */
  readonly file: string
  /** True if a docstring says something before its first tag. */
  readonly hasDocstring: boolean
  /** True if the docstring of the export, or of a member of it, has an `@example`. */
  readonly hasExample: boolean
}

/** A piece of TypeScript that people are meant to copy. */
export interface Example {
  /** Where it stands: `README.md:58`. */
  readonly place: string
  readonly code: string
}

/** What the compiler says about the published packages and the examples, from one run. */
export interface Documentation {
  readonly exports: ReadonlyArray<PublicExport>
  /** `README.md:58: Cannot find name …`, one for each error in an example. */
  readonly exampleErrors: ReadonlyArray<string>
}

/** The source file of each entry point that others may import, by the name they import it by. */
export const entryPoints = (): ReadonlyMap<string, string> =>
  new Map(
    projectFolders
      .map((folder) => ({ folder, manifest: manifestOf(folder) }))
      .filter(({ manifest }) => manifest.private !== true)
      .flatMap(({ folder, manifest }) =>
        Object.entries(manifest.exports ?? {}).flatMap(([path, target]) => {
          const source = typeof target === "string" ? undefined : target["@secure-mcp/source"]
          if (source === undefined || path === "./internal") return []
          return [[join(manifest.name, path), join(folder, source)] as const]
        })
      )
  )

/** The TypeScript blocks of a Markdown file, and those of `@example` in a TypeScript file. */
export const examplesIn = (file: string, text = read(file)): ReadonlyArray<Example> =>
  file.endsWith(".md") ? codeBlocks(file, text, 0) : docstringExamples(file, text)

const docstringExamples = (file: string, text: string): ReadonlyArray<Example> =>
  [...text.matchAll(/\/\*\*[\s\S]*?\*\//g)].flatMap(({ 0: comment, index }) => {
    const at = comment.indexOf("@example")
    if (at === -1) return []
    const stripped = comment.slice(at).replace(/^[ \t]*\* ?/gm, "")
    return codeBlocks(file, stripped, lineOf(text, index + at))
  })

const codeBlocks = (file: string, text: string, firstLine: number): ReadonlyArray<Example> =>
  [...text.matchAll(/^```(?:ts|typescript)\b.*\n([\s\S]*?)^```/gm)].map(({ 1: code = "", index }) => ({
    place: `${file}:${firstLine + lineOf(text, index) + 1}`,
    code
  }))

const lineOf = (text: string, index: number): number => text.slice(0, index).split("\n").length - 1

/** Runs the compiler once over all entry points and all examples. */
export const checkDocumentation = (examples: ReadonlyArray<Example>): Documentation => {
  const output = resolve(root, "tools/architecture/dist")
  mkdirSync(output, { recursive: true })
  const directory = mkdtempSync(join(output, "examples-"))
  try {
    const files = examples.map((_, index) => join(directory, `Example${index}.ts`))
    files.forEach((file, index) => writeFileSync(file, `${examples[index]?.code}\nexport {}\n`))
    const entries = [...entryPoints()].map(([name, file]) => ({ name, file: resolve(root, file) }))
    const config = join(directory, "tsconfig.json")
    writeFileSync(
      config,
      JSON.stringify({
        extends: resolve(root, "tsconfig.base.json"),
        compilerOptions,
        files: [...entries.map(({ file }) => file), ...files]
      })
    )
    const api = new API({ cwd: root })
    try {
      const [project] = api.updateSnapshot({ openProjects: [config] }).getProjects()
      if (project === undefined) throw new Error(`The compiler opens no project: ${config}`)
      return {
        exports: entries.flatMap(({ file, name }) => publicExports(project, name, file)),
        exampleErrors: files.flatMap((file, index) => errorsOf(project, file, examples[index]?.place ?? ""))
      }
    } finally {
      api.close()
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** An example may have an unused value; for the rest it is checked as our own code is. */
const compilerOptions = {
  composite: false,
  declaration: false,
  declarationMap: false,
  noEmit: true,
  noUnusedLocals: false,
  noUnusedParameters: false,
  allowImportingTsExtensions: true,
  rewriteRelativeImportExtensions: false,
  plugins: []
}

const errorsOf = ({ program }: Project, file: string, place: string): ReadonlyArray<string> =>
  [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map(
    ({ text }) => `${place}: ${text}`
  )

const publicExports = (project: Project, entry: string, file: string): ReadonlyArray<PublicExport> => {
  const { checker, program } = project
  const source = program.getSourceFile(file)
  const module = source === undefined ? undefined : checker.getSymbolAtLocation(source)
  if (module === undefined) throw new Error(`The compiler finds no module: ${file}`)
  return checker.getExportsOfModule(module).map((exported) => {
    const symbol = declared(checker, exported)
    const declarations = symbol.declarations.map((handle) => handle.resolve(project)?.getFullText() ?? "")
    return {
      name: `${entry} ${exported.name}`,
      file: basename(symbol.declarations[0]?.path ?? ""),
      hasDocstring: checker.getDocumentationCommentOfSymbol(symbol).trim() !== "",
      hasExample:
        checker.getJsDocTagsOfSymbol(symbol).some(({ name }) => name === "example") ||
        declarations.some((text) => text.includes("@example"))
    }
  })
}

/** What an `export … from` stands for. */
const declared = (checker: Checker, symbol: TypeSymbol): TypeSymbol =>
  (symbol.flags & SymbolFlags.Alias) === 0 ? symbol : checker.getAliasedSymbol(symbol)
