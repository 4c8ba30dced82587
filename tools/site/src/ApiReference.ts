import { resolve } from "node:path"
import { Application, Comment, type ProjectReflection, type TypeDocOptions } from "typedoc"
import type { Entry } from "./Entries.ts"
import { repositoryAddress, root } from "./Repository.ts"

/**
 * Writes the API reference of entries. Rejects where a docstring has a mistake, or a link that leads nowhere, and has then said
 * where.
 *
 * @param tsconfig the configuration of the compiler: its files must include the sources of the entries
 */
export const writeApiReference = async (
  entries: ReadonlyArray<Entry>,
  tsconfig: string,
  directory: string
): Promise<void> => {
  const app = await Application.bootstrap({ ...settings(entries), tsconfig, out: directory })
  const found = app.getEntryPoints() ?? []
  const byEntry = entries.map((entry) => {
    const source = resolve(root, entry.source)
    const point = found.find(({ sourceFile }) => resolve(sourceFile.fileName) === source)
    if (point === undefined) throw new Error(`TypeDoc does not find ${entry.source}`)
    return { ...point, displayName: entry.name }
  })
  const project = app.converter.convert(byEntry)
  describeModules(project, entries)
  app.validate(project)
  await app.generateOutputs(project)
  const { errorCount, warningCount } = app.logger
  if (errorCount + warningCount > 0)
    throw new Error(`The API reference has mistakes: ${errorCount + warningCount}, see above`)
}

/** An entry says what its package is for, if it does not say more. */
const describeModules = ({ children = [] }: ProjectReflection, entries: ReadonlyArray<Entry>): void => {
  for (const module of children) {
    const text = entries.find(({ name }) => name === module.name)?.description
    if (text !== undefined) module.comment ??= new Comment([{ kind: "text", text }])
  }
}

const settings = (entries: ReadonlyArray<Entry>): TypeDocOptions => ({
  name: "Secure MCP Gateway",
  entryPoints: entries.map(({ source }) => resolve(root, source)),
  readme: "none",
  // Without it one entry alone has no page of its own.
  alwaysCreateEntryPointModule: true,
  basePath: root,
  disableGit: true,
  sourceLinkTemplate: `${repositoryAddress()}/blob/main/{path}#L{line}`,
  // What a class of Effect brings is in the reference of Effect.
  excludeExternals: true,
  excludeInternal: true,
  excludePrivate: true,
  blockTags: [...blockTags],
  logLevel: "Warn"
})

/** Those that our docstrings use; the last one is an instruction to the checks of Effect. */
const blockTags = [
  "@param",
  "@returns",
  "@throws",
  "@example",
  "@see",
  "@module",
  "@effect-expect-leaking"
] as const
